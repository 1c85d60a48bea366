// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"

	"tenama.dev/tenama/api/v1alpha1"
)

// soon is when an expiry is worth a warning.
const soon = 15 * time.Minute

// listOptions is one invocation of kubectl tenama list.
type listOptions struct {
	*factory
	output *outputFlag

	all       bool
	selector  string
	noHeaders bool
}

func newListCommand(f *factory) *cobra.Command {
	o := &listOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "Show your namespaces and when they expire",
		Long: `Show your namespaces and when they expire.

The one of the current context is marked with a star.`,
		Example: `  kubectl tenama list
  kubectl tenama list -o wide

  # Everybody's, for who may see them
  kubectl tenama list -A`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n := *f.flags.Namespace; n != "" {
				return fmt.Errorf("--namespace %q: list shows all of yours; for one: kubectl get tns %s", n, withPrefix(n))
			}
			if err := o.output.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.all, "all-owners", "A", false, "everybody's, as far as you may see them")
	fs.StringVarP(&o.selector, "selector", "l", "", "label selector, such as team=a")
	fs.BoolVar(&o.noHeaders, "no-headers", false, "leave out the headings")
	o.output = addOutputFlag(cmd, true)
	return cmd
}

func (o *listOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	opts := metav1.ListOptions{LabelSelector: o.selector}
	if !o.all {
		if user, err := c.User(ctx); err == nil { // else the server alone decides, and for most users that is the same
			opts.FieldSelector = fields.OneTermEqualSelector("status.owner", user).String()
		}
	}
	list, err := c.List(ctx, opts)
	if err != nil {
		return err
	}
	switch {
	case o.output.format == "name":
		for i := range list.Items {
			fmt.Fprintf(o.Out, "namespace/%s\n", list.Items[i].Name)
		}
		return nil
	case !o.output.human():
		p, err := o.output.print.ToPrinter()
		if err != nil {
			return err
		}
		list.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind + "List"}
		if list.Items == nil {
			list.Items = []v1alpha1.TemporaryNamespace{}
		}
		return p.PrintObj(list, o.Out)
	case len(list.Items) == 0:
		fmt.Fprintln(o.ErrOut, "No namespaces found.")
		return nil
	}
	o.table(list.Items, o.currentNamespace(), c.Now()).print(o.Out)
	return nil
}

// currentNamespace is the namespace of the current context, if it is tenama's.
func (o *listOptions) currentNamespace() string {
	if m, err := o.files().Load(); err == nil {
		if e, ours := m.Current(); ours && e.Server == o.server() {
			return e.Namespace
		}
	}
	return ""
}

func (o *listOptions) table(items []v1alpha1.TemporaryNamespace, current string, now time.Time) *table {
	wide := o.output.format == "wide"
	t := &table{}
	if !o.noHeaders {
		t.head = []string{"", "NAME", "CLASS", "STATUS", "EXPIRES", "OWNER", "AGE"}
		if wide {
			t.head = append(t.head, "EXPIRES-AT", "AT-MOST-UNTIL", "REASON")
		}
	}
	slices.SortFunc(items, func(a, b v1alpha1.TemporaryNamespace) int { return strings.Compare(a.Name, b.Name) })
	for i := range items {
		tn := &items[i]
		mark := ""
		if tn.Name == current {
			mark = "*"
		}
		status, expires, tone := state(tn, now)
		row := []cell{{text: mark}, {text: tn.Name}, {text: tn.Spec.ClassName}, {status, tone}, {expires, tone}, {text: tn.Status.Owner},
			{text: duration.HumanDuration(now.Sub(tn.CreationTimestamp.Time))}}
		if wide {
			row = append(row, cell{text: stamp(tn.Status.ExpirationTimestamp)}, cell{text: stamp(tn.Status.MaximumExpirationTimestamp)}, cell{text: tn.Spec.Reason})
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// state is how a namespace stands, in words; the tone only repeats it.
func state(tn *v1alpha1.TemporaryNamespace, now time.Time) (status, expires string, t tone) {
	status = string(tn.Status.Phase)
	at := tn.Status.ExpirationTimestamp
	switch {
	case at == nil:
		return status, "<unknown>", bad
	case !at.After(now):
		expires, t = "expired", bad
	default:
		expires = duration.HumanDuration(at.Sub(now).Round(time.Second))
	}
	switch {
	case tn.Status.Phase == v1alpha1.PhaseTerminating:
		t = dim
	case tn.Status.Phase == v1alpha1.PhasePending:
		t = warn
	case at.Sub(now) < soon:
		status, t = "Expiring", bad
	default:
		t = good
	}
	return status, expires, t
}

func stamp(t *metav1.Time) string {
	if t == nil {
		return "<unknown>"
	}
	return t.UTC().Format(time.RFC3339)
}
