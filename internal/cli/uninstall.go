// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tenama.dev/tenama/deploy"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/internal/install"
)

// uninstallOptions holds the flags of one invocation of kubectl tenama uninstall.
type uninstallOptions struct {
	*factory
	namespace  string
	yes        bool
	deleteLent bool
	keepLent   bool
	timeout    durationValue
}

func newUninstallCommand(f *factory) *cobra.Command {
	o := &uninstallOptions{factory: f, timeout: durationValue{5 * time.Minute}}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove tenama from a cluster",
		Long: `Remove tenama from a cluster, as an administrator.

uninstall says what is still lent, and asks. Then it deletes the lent namespaces with
everything in them, stops the brokers, waits until their API is gone, and deletes the
rest: classes, budgets, policies, rights, and the namespace of the broker.

A lent namespace that is kept has neither an expiry nor policies that restrict its
tenant.`,
		Example: `  kubectl tenama uninstall

  # Without questions
  kubectl tenama uninstall --yes --delete-lent`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.deleteLent && o.keepLent {
				return errors.New("--delete-lent and --keep-lent cannot be used together")
			}
			o.skipPrune = true
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the broker (default: the one it is found in)")
	fs.BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	fs.BoolVar(&o.deleteLent, "delete-lent", false, "delete lent namespaces with everything in them")
	fs.BoolVar(&o.keepLent, "keep-lent", false, "keep lent namespaces, which never expire then")
	fs.Var(&o.timeout, "timeout", "maximum time to wait for each step")
	completeFlag(cmd, "namespace", cobra.NoFileCompletions)
	completeFlag(cmd, "timeout", completeDurations)
	return cmd
}

func (o *uninstallOptions) run(ctx context.Context) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	found, err := install.Find(ctx, config)
	if err != nil {
		return explainForbidden(err)
	}
	if found == nil { // nothing, or what a removal that was interrupted has left
		found = &install.Installed{Namespace: cmp.Or(o.namespace, deploy.DefaultNamespace)}
	}
	switch {
	case o.namespace != "" && o.namespace != found.Namespace:
		return fmt.Errorf("tenama is not installed in namespace %q, but in %q", o.namespace, found.Namespace)
	case found.Owner != "":
		return withHint(fmt.Errorf("tenama was installed by %s", found.Owner), "uninstall it there")
	}
	r := &removal{namespace: found.Namespace}
	if r.cluster, err = install.New(config, found.Namespace); err != nil {
		return err
	}
	there, err := r.cluster.Exists(ctx)
	if err != nil {
		return explainForbidden(err)
	}
	if !there {
		fmt.Fprintln(o.ErrOut, "tenama is not installed on this cluster")
		return nil
	}
	if r.lent, err = r.cluster.Lent(ctx); err != nil {
		return explainForbidden(err)
	}
	if r.others, err = r.cluster.Others(ctx, &found.Options); err != nil {
		return explainForbidden(err)
	}
	if err := o.confirm(ctx, r); err != nil {
		return err
	}
	if err := o.remove(ctx, r); err != nil {
		return err
	}
	fmt.Fprintln(o.Out, "tenama was removed")
	return nil
}

// removal is what is removed from a cluster.
type removal struct {
	cluster   *install.Cluster
	namespace string // of the broker
	lent      []install.Lent
	others    []string // what others have in that namespace
}

// confirm shows what is lost, and asks.
func (o *uninstallOptions) confirm(ctx context.Context, rm *removal) error {
	lent := rm.lent
	var f term.Fields
	f.Add("Context", o.contextName())
	f.Add("Server", o.server())
	f.Add("Namespace", rm.namespace)
	f.Add("Lent", countOf(len(lent), "namespace"))
	f.Print(o.ErrOut)
	if len(lent) > 0 {
		var held []string
		for _, l := range lent {
			line := "  " + term.Clean(l.Name)
			if l.OnHold {
				held = append(held, l.Name)
				line += " (on hold)"
			}
			fmt.Fprintln(o.ErrOut, line)
		}
		if len(held) > 0 && !o.keepLent {
			return withHint(fmt.Errorf("%s on hold by administrators, and cannot be deleted", countOf(len(held), "namespace")),
				"end the hold first, for example: "+o.commandAs("unhold %s", held[0])+"; or use --keep-lent")
		}
		if o.yes && !o.deleteLent && !o.keepLent {
			return withHint(fmt.Errorf("still lent: %s", countOf(len(lent), "namespace")),
				"use --delete-lent to delete them with everything in them, or --keep-lent")
		}
	}
	if len(rm.others) > 0 {
		fmt.Fprintf(o.ErrOut, "Namespace %s stays, since others use it: %s\n", rm.namespace,
			term.Clean(strings.Join(rm.others, ", ")))
	}
	if o.yes {
		return nil
	}
	question := "Remove tenama, with all classes and budgets?"
	switch {
	case len(lent) > 0 && o.keepLent:
		question = fmt.Sprintf("Remove tenama, with all classes and budgets, and keep %s without an expiry?",
			countOf(len(lent), "namespace"))
	case len(lent) > 0:
		question = fmt.Sprintf("Remove tenama, with all classes and budgets, and %s with everything in them?",
			countOf(len(lent), "namespace"))
	}
	ok, err := term.Ask(ctx, o.In, o.ErrOut, question, "use --yes to uninstall without confirmation")
	if err == nil && !ok {
		err = errors.New("nothing was changed")
	}
	return err
}

// remove deletes everything, in the order that leaves no API without a broker.
func (o *uninstallOptions) remove(ctx context.Context, rm *removal) error {
	for _, step := range []struct {
		action string
		do     func(context.Context) error
	}{
		{"deleting what is lent", func(ctx context.Context) error {
			if o.keepLent || len(rm.lent) == 0 {
				return nil
			}
			return rm.cluster.DeleteLent(ctx, rm.lent)
		}},
		{"waiting until the brokers have ended", rm.cluster.Stop},
		{"looking for what was lent meanwhile", func(ctx context.Context) error {
			lent, err := rm.cluster.Lent(ctx)
			if err != nil || o.keepLent || len(lent) == 0 {
				return err
			}
			return withHint(fmt.Errorf("%s was lent meanwhile, and the brokers have ended",
				countOf(len(lent), "namespace")), "repeat the command")
		}},
		{"removing tenama", func(ctx context.Context) error { return rm.cluster.Remove(ctx, len(rm.others) > 0) }},
	} {
		done := o.progress(step.action)
		limited, cancel := context.WithTimeout(ctx, o.timeout.d)
		err := step.do(limited)
		cancel()
		done()
		if wait := (*install.WaitError)(nil); errors.As(err, &wait) {
			return &failure{err: err, code: exitTimeout, hint: "repeat the command: it goes on from here"}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countOf returns such as "1 namespace" or "2 namespaces".
func countOf(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
