// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// listOptions holds the flags of one invocation of kubectl tenama list.
type listOptions struct {
	*factory
	output *outputFlag

	allOwners bool
	selector  string
	sortBy    string
	noHeaders bool
	watch     bool

	order     *sortOrder
	current   string            // namespace of the current context
	revisions map[string]string // current revisions by class
	columns   int
}

func newListCommand(f *factory) *cobra.Command {
	o := &listOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "Show your namespaces and when they expire",
		Long: `Show your namespaces and when they expire.

The namespace of the current context is marked with a star. STATUS is Pending (being
created), Ready, Expiring (expires soon), Leased (in use by "kubectl tenama run", and
deleted when its command ends, at the latest at EXPIRES), OnHold (an administrator keeps
it from expiring), NoAccess (an administrator removed your access) or Terminating.

With --watch, list shows changes until it is interrupted: on a terminal by updating the
list in place, elsewhere by printing a line for each change.`,
		Example: `  kubectl tenama list
  kubectl tenama list -o wide

  # Sort by expiry and watch for changes
  kubectl tenama list --sort-by expires --watch

  # Show the namespaces of all owners, if you may see them
  kubectl tenama list -A

  # For scripts
  kubectl tenama list -l gitlab/mr=117 -o name
  kubectl tenama list --no-headers \
    -o custom-columns=NAME:.metadata.name,UNTIL:.status.expirationTimestamp`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("list takes no NAME: use kubectl tenama describe %s", args[0])
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if n := *f.flags.Namespace; n != "" {
				return fmt.Errorf("list does not support --namespace %q: use kubectl tenama describe %s", n, n)
			}
			if err := o.output.validate(); err != nil {
				return err
			}
			if o.order, err = newSortOrder(o.sortBy); err != nil {
				return err
			}
			o.warnings.currentOnly = true
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.allOwners, "all-owners", "A", false, "show the namespaces of all owners that you may see")
	fs.StringVarP(&o.selector, "selector", "l", "", "label selector, such as team=a")
	fs.StringVar(&o.sortBy, "sort-by", "name",
		"sort by name, expires, age, owner or class, or by a JSONPath such as .spec.reason")
	fs.BoolVar(&o.noHeaders, "no-headers", false, "do not print headers")
	fs.BoolVarP(&o.watch, "watch", "w", false, "watch for changes")
	completeFlag(cmd, "selector", cobra.NoFileCompletions)
	completeFlag(cmd, "sort-by", fixedCompletions(slices.Sorted(maps.Keys(sortKeywords))...))
	o.output = addOutputFlag(cmd, outputList)
	return cmd
}

func (o *listOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	opts := metav1.ListOptions{LabelSelector: o.selector}
	if !o.allOwners {
		if err := o.restrictToOwn(ctx, c, &opts); err != nil {
			return err
		}
	}
	list, err := c.List(ctx, opts)
	if err != nil {
		return err
	}
	if err := o.order.sort(list.Items); err != nil {
		return err
	}
	o.current = o.currentNamespace()
	if o.output.format == "wide" {
		o.revisions = revisions(ctx, c)
	}
	if o.allOwners && o.output.human() {
		if all, err := c.MayViewAll(ctx); err == nil && !all {
			fmt.Fprintln(o.ErrOut, "Only your own namespaces are shown: you are not allowed to list others.")
		}
	}
	if o.watch {
		return o.watchList(ctx, c, list, opts)
	}
	return o.print(ctx, c, list)
}

// print prints a list once.
func (o *listOptions) print(ctx context.Context, c *client.Client, list *v1alpha1.TemporaryNamespaceList) error {
	switch {
	case o.output.format == "name":
		return o.names(list.Items)
	case !o.output.human():
		p, err := o.output.printer(o.noHeaders)
		if err != nil {
			return err
		}
		list.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind + "List"}
		if list.Items == nil {
			list.Items = []v1alpha1.TemporaryNamespace{}
		}
		return p.PrintObj(list, o.Out)
	}
	items := list.Items
	if o.selector == "" && !o.allOwners {
		items = append(items, o.shared(ctx, c, items)...)
	}
	if len(items) == 0 {
		fmt.Fprintln(o.ErrOut, "No namespaces found.")
		return nil
	}
	t := o.table(items, c.Now(), false)
	if err := t.Print(o.Out, o.renderer(o.Out)); err != nil {
		return err
	}
	o.noteDropped(t)
	return nil
}

// phaseShared is the status that list shows for a namespace of another owner.
const phaseShared = "Shared"

// shared returns the namespaces that others share with the user, as far as the kubeconfig has a
// context for them: nothing else tells which these are.
func (o *listOptions) shared(
	ctx context.Context, c *client.Client, own []v1alpha1.TemporaryNamespace,
) []v1alpha1.TemporaryNamespace {
	m, err := o.files().Load()
	if err != nil {
		return nil
	}
	var out []v1alpha1.TemporaryNamespace
	server, checks := o.server(), 0
	for _, e := range m.Entries() {
		is := func(tn v1alpha1.TemporaryNamespace) bool { return string(tn.UID) == e.UID }
		if e.Server != server || slices.ContainsFunc(own, is) || !o.sameUser(e) || checks == maxPruneChecks {
			continue
		}
		checks++
		if tn, err := c.Shared(ctx, e.Namespace); err == nil && is(*tn) && tn.Status.Owner != "" {
			tn.Status.Phase = phaseShared
			out = append(out, *tn)
		}
	}
	return out
}

// noteDropped says which columns the terminal is too narrow for.
func (f *factory) noteDropped(t *term.Table) {
	if len(t.Dropped) > 0 {
		fmt.Fprintf(f.ErrOut, "Not shown, for lack of width: %s. Show all: -o wide\n", strings.Join(t.Dropped, ", "))
	}
}

func (o *listOptions) names(items []v1alpha1.TemporaryNamespace) error {
	for i := range items {
		if _, err := fmt.Fprintf(o.Out, "namespace/%s\n", items[i].Name); err != nil {
			return err
		}
	}
	return nil
}
