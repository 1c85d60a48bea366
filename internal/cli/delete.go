// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// deleteOptions holds the flags of one invocation of kubectl tenama delete.
type deleteOptions struct {
	*factory

	output         string
	names          []string
	all            bool
	selector       string
	ignoreNotFound bool
	interactive    bool
	yes            bool
	wait           bool
	timeout        durationValue
	dryRun         string
}

func newDeleteCommand(f *factory) *cobra.Command {
	o := &deleteOptions{factory: f, timeout: durationValue{5 * time.Minute}}
	cmd := &cobra.Command{
		Use:     "delete [NAME...]",
		Aliases: []string{"rm"},
		Short:   "Delete namespaces before they expire",
		Long: `Delete namespaces before they expire, with everything in them.

Without NAME, the namespace of the current context is deleted. The contexts of deleted
namespaces are removed from your kubeconfig, and the previous context becomes current
again.

Unless you give names, delete lists the namespaces and asks for confirmation on the
terminal; elsewhere it requires --yes. --all and --selector select the namespaces that
belong to you alone: what a group owns, or a running command holds, has to be named.`,
		Example: `  # Delete the namespace of the current context
  kubectl tenama delete

  # Delete all of your namespaces without confirmation
  kubectl tenama delete --all --yes

  # Delete a namespace in a pipeline; can be repeated
  kubectl tenama delete mr-42 --ignore-not-found --wait=false`,
		ValidArgsFunction: f.completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			if cmd.Flags().Changed("selector") && o.selector == "" {
				return errors.New("--selector is empty: use --all to delete all of your namespaces")
			}
			if err := o.validate(); err != nil {
				return err
			}
			if !o.bySelector() && len(args) < 2 {
				name, err := f.targetName(args)
				if err != nil {
					return err
				}
				if o.names = nil; name != "" {
					o.names = []string{name}
				}
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.all, "all", false, "delete all namespaces that belong to you alone")
	fs.StringVarP(&o.selector, "selector", "l", "",
		"delete those of your namespaces with these labels, such as team=a")
	fs.BoolVar(&o.ignoreNotFound, "ignore-not-found", false, `treat "not found" as a successful delete`)
	fs.BoolVarP(&o.interactive, "interactive", "i", false, "ask for confirmation, also if names are given")
	fs.BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	fs.BoolVar(&o.wait, "wait", true, "wait until the namespaces are gone")
	fs.Var(&o.timeout, "timeout", "maximum time to wait")
	fs.StringVar(&o.dryRun, "dry-run", "none",
		`"none", "client" (only show what would be deleted) or "server" (also validate)`)
	fs.StringVarP(&o.output, "output", "o", "", "")
	setFormats(cmd, "name")
	completeFlag(cmd, "selector", cobra.NoFileCompletions)
	completeFlag(cmd, "timeout", completeDurations)
	completeFlag(cmd, "dry-run", fixedCompletions("none", "client", "server"))
	return cmd
}

// bySelector reports whether the namespaces are selected by flags.
func (o *deleteOptions) bySelector() bool { return o.all || o.selector != "" }

func (o *deleteOptions) validate() error {
	n := *o.flags.Namespace
	switch {
	case o.output != "" && o.output != "name":
		return fmt.Errorf("unknown output format %q: use name", o.output)
	case o.dryRun != "none" && o.dryRun != "client" && o.dryRun != "server":
		return fmt.Errorf("--dry-run %q: use none, client or server", o.dryRun)
	case o.all && o.selector != "":
		return errors.New("--all and --selector cannot be used together")
	case o.bySelector() && (len(o.names) > 0 || n != "" || o.nameFrom != ""):
		return errors.New("NAME cannot be used with --all or --selector")
	case o.yes && o.interactive:
		return errors.New("--yes and --interactive cannot be used together")
	case len(o.names) > 1 && o.nameFrom != "":
		return errors.New("--name-from cannot be used with several NAMEs")
	case len(o.names) > 1 && n != "":
		return fmt.Errorf("--namespace %q cannot be used with several NAMEs", n)
	}
	return nil
}

func (o *deleteOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	o.skipPrune = true // delete removes its own entries, in one write; a dry run changes none
	named := len(o.names) > 0
	targets, missing, errs := o.resolve(ctx, c)
	if len(targets) > 0 && (!named && !o.yes || o.interactive) && o.dryRun == "none" {
		yes, err := term.Ask(ctx, o.In, o.ErrOut, deletePrompt(targets), "use --yes to delete without confirmation")
		if err != nil {
			return err
		}
		if !yes {
			return errors.New("nothing was deleted")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout.d)
	defer cancel()
	// Request all deletions before waiting for any; one failure does not stop the others.
	var deleting []*v1alpha1.TemporaryNamespace
	for _, tn := range targets {
		if err := o.startDeletion(ctx, c, tn); err != nil {
			errs = append(errs, err)
		} else {
			deleting = append(deleting, tn)
		}
	}
	if o.dryRun == "none" {
		isMissing := o.entriesOf(missing)
		o.removeContexts(ctx, func(e kubeconfig.Entry) bool {
			return isMissing(e) || slices.ContainsFunc(deleting,
				func(tn *v1alpha1.TemporaryNamespace) bool { return e.UID == string(tn.UID) })
		})
	}
	for _, tn := range deleting {
		if err := o.waitDeleted(ctx, c, tn); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	if ctx.Err() == nil {
		for _, err := range errs[1:] {
			o.reportError(ctx, err)
		}
	}
	return errs[0]
}

func deletePrompt(targets []*v1alpha1.TemporaryNamespace) string {
	if len(targets) == 1 {
		return fmt.Sprintf("Delete namespace %s and everything in it?", targets[0].Name)
	}
	names := make([]string, len(targets))
	for i, tn := range targets {
		names[i] = tn.Name
	}
	return fmt.Sprintf("Delete %d namespaces and everything in them: %s?", len(names), strings.Join(names, ", "))
}

// startDeletion requests the deletion of a namespace.
func (o *deleteOptions) startDeletion(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	o.warnings.acknowledge(tn.Name)
	if tn.DeletionTimestamp != nil || o.dryRun == "client" {
		return nil
	}
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(tn.UID))}
	if o.dryRun == "server" {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	if _, err := c.Delete(ctx, tn.Name, opts); err != nil && !client.IsGone(err) {
		return err
	}
	return nil
}

// waitDeleted waits until a namespace is gone, unless --wait=false, and prints the result.
func (o *deleteOptions) waitDeleted(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	if o.wait && o.dryRun == "none" {
		done := o.progress(fmt.Sprintf("waiting until namespace %s is gone", tn.Name))
		err := c.WaitGone(ctx, tn.Name, tn.UID)
		done()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("namespace %q is still being deleted after %s", tn.Name, term.FormatDuration(o.timeout.d))
			return &failure{err, exitTimeout,
				"to see what blocks the deletion, run: kubectl tenama doctor " + tn.Name}
		}
		if err != nil {
			return err
		}
	}
	suffix := map[string]string{"client": " (dry run)", "server": " (server dry run)"}[o.dryRun]
	var err error
	if o.output == "name" {
		_, err = fmt.Fprintf(o.Out, "namespace/%s\n", tn.Name)
	} else {
		_, err = fmt.Fprintf(o.Out, "namespace %q deleted%s\n", tn.Name, suffix)
	}
	return err
}
