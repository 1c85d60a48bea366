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
	"k8s.io/apimachinery/pkg/fields"

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
	case o.bySelector() && (len(o.names) > 0 || n != ""):
		return errors.New("NAME cannot be used with --all or --selector")
	case o.yes && o.interactive:
		return errors.New("--yes and --interactive cannot be used together")
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

// resolve returns the namespaces to delete, the full names that do not exist, and an error
// for each namespace that cannot be determined.
func (o *deleteOptions) resolve(
	ctx context.Context, c *client.Client,
) (targets []*v1alpha1.TemporaryNamespace, missing []string, errs []error) {
	if o.bySelector() {
		targets, err := o.selectOwn(ctx, c)
		if err != nil {
			errs = []error{err}
		}
		return targets, nil, errs
	}
	names := o.names
	if len(names) == 0 {
		names = []string{""} // the current one
	}
	for _, name := range names {
		tn, err := o.named(ctx, c, name)
		var gone *missingError
		switch {
		case err == nil:
			if !slices.ContainsFunc(targets, func(t *v1alpha1.TemporaryNamespace) bool { return t.UID == tn.UID }) {
				targets = append(targets, tn)
			}
			continue
		case errors.As(err, &gone):
			if missing = append(missing, gone.tried...); o.ignoreNotFound {
				continue
			}
		}
		errs = append(errs, err)
	}
	return targets, missing, errs
}

// named returns the namespace with a typed name, or the current one if name is empty.
func (o *deleteOptions) named(
	ctx context.Context, c *client.Client, name string,
) (*v1alpha1.TemporaryNamespace, error) {
	if name == "" {
		return o.current(ctx, c)
	}
	return o.lookUpTyped(ctx, c, name, true)
}

// selectOwn returns the namespaces that --all or --selector select: those that belong to the
// caller alone. What a group owns, or a running command holds, has to be named.
func (o *deleteOptions) selectOwn(ctx context.Context, c *client.Client) ([]*v1alpha1.TemporaryNamespace, error) {
	user, err := c.User(ctx)
	if err != nil {
		return nil, fmt.Errorf("find out which namespaces are yours: %w", err)
	}
	opts := metav1.ListOptions{LabelSelector: o.selector,
		FieldSelector: fields.OneTermEqualSelector("status.owner", user).String()}
	list, err := c.List(ctx, opts)
	if err != nil {
		return nil, err
	}
	var out []*v1alpha1.TemporaryNamespace
	for i := range list.Items {
		switch tn := &list.Items[i]; {
		case tn.DeletionTimestamp != nil, tn.Status.Owner != user:
		case tn.Status.OwnerGroup != "":
			fmt.Fprintf(o.ErrOut, "Not deleted: namespace %s belongs to group %q; give its NAME.\n", tn.Name,
				term.Clean(tn.Status.OwnerGroup))
		case v1alpha1.Held(tn):
			fmt.Fprintf(o.ErrOut, "Not deleted: namespace %s is in use by a running command; give its NAME.\n", tn.Name)
		default:
			out = append(out, tn)
		}
	}
	if len(out) == 0 {
		fmt.Fprintln(o.ErrOut, "No namespaces found.")
	}
	return out, nil
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
