// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
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

	revisions map[string]string // the present ones, by class
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
		o.mine(ctx, c, &opts)
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
	if o.output.format == "wide" {
		o.revisions = revisions(ctx, c)
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
			t.head = append(t.head, "EXPIRES-AT", "AT-MOST-UNTIL", "REVISION", "REASON")
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
		row := []cell{{text: mark}, {text: tn.Name}, {text: tn.Spec.ClassName}, {status, tone}, {expires, tone}, {text: cmp.Or(tn.Status.OwnerGroup, tn.Status.Owner)},
			{text: duration.HumanDuration(now.Sub(tn.CreationTimestamp.Time))}}
		if wide {
			row = append(row, cell{text: stamp(tn, tn.Status.ExpirationTimestamp)}, cell{text: most(tn)}, revision(tn, o.revisions), cell{text: tn.Spec.Reason})
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
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		expires = "never"
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
	case at != nil && at.Sub(now) < soon:
		status, t = "Expiring", bad
	default:
		t = good
	}
	return status, expires, t
}

func stamp(tn *v1alpha1.TemporaryNamespace, t *metav1.Time) string {
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return "never"
	case t == nil:
		return "<unknown>"
	}
	return t.UTC().Format(time.RFC3339)
}

// most is the latest time that an extension can reach, or how far from now.
func most(tn *v1alpha1.TemporaryNamespace) string {
	if s := tn.Status.MaximumTTLSeconds; s != nil {
		return "now+" + human(time.Duration(*s)*time.Second)
	}
	return stamp(tn, tn.Status.MaximumExpirationTimestamp)
}

// revisions are the present ones of the classes, by name; nil if they cannot be read.
func revisions(ctx context.Context, c *client.Client) map[string]string {
	classes, err := c.Classes(ctx)
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for i := range classes.Items {
		out[classes.Items[i].Name] = classes.Items[i].Status.Revision
	}
	return out
}

// revision tells whether a namespace is as its class is now.
func revision(tn *v1alpha1.TemporaryNamespace, present map[string]string) cell {
	switch now, known := present[tn.Spec.ClassName]; {
	case present == nil:
		return cell{text: "<unknown>", tone: dim}
	case !known:
		return cell{text: "classless", tone: dim}
	case now != tn.Status.ClassRevision:
		return cell{text: "outdated", tone: warn}
	}
	return cell{text: "current"}
}
