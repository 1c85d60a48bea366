// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// classesOptions holds the flags of one invocation of kubectl tenama classes.
type classesOptions struct {
	*factory
	output *outputFlag

	name      string
	noHeaders bool
}

func newClassesCommand(f *factory) *cobra.Command {
	o := &classesOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "classes [CLASS]",
		Aliases: []string{"class"},
		Short:   "Show the classes of namespaces",
		Long: `Show the classes of namespaces, with their lifetimes, quotas and parameters.

A namespace counts against the budgets of the cluster with its full quota, whether
or not it uses it. With CLASS, the details of one class are shown: the values of its
parameters, all quotas, and the objects that each namespace gets.`,
		Example: `  kubectl tenama classes

  # Details of one class
  kubectl tenama classes large`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeClass,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.name = args[0]
			}
			if err := o.output.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "do not print headers")
	o.output = addOutputFlag(cmd, outputList)
	return cmd
}

func (o *classesOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	list, err := c.Classes(ctx)
	if err != nil {
		return err
	}
	version, kind := policyv1alpha1.Kind.ToAPIVersionAndKind()
	list.TypeMeta = metav1.TypeMeta{APIVersion: version, Kind: kind + "List"}
	for i := range list.Items {
		list.Items[i].TypeMeta = metav1.TypeMeta{APIVersion: version, Kind: kind}
	}
	slices.SortFunc(list.Items, func(a, b policyv1alpha1.NamespaceClass) int { return strings.Compare(a.Name, b.Name) })
	if o.name != "" {
		i := slices.IndexFunc(list.Items, func(c policyv1alpha1.NamespaceClass) bool { return c.Name == o.name })
		if i < 0 {
			var names []string
			for _, c := range list.Items {
				names = append(names, c.Name)
			}
			return fmt.Errorf("class %q not found; known classes: %s", o.name, strings.Join(names, ", "))
		}
		list.Items = list.Items[i : i+1]
	}
	switch {
	case o.output.format == "name":
		for i := range list.Items {
			fmt.Fprintf(o.Out, "%s/%s\n", policyv1alpha1.Resource.GroupResource(), list.Items[i].Name)
		}
		return nil
	case !o.output.human():
		p, err := o.output.printer(o.noHeaders)
		if err != nil {
			return err
		}
		if o.name != "" {
			return p.PrintObj(&list.Items[0], o.Out)
		}
		return p.PrintObj(list, o.Out)
	case len(list.Items) == 0:
		fmt.Fprintln(o.ErrOut, "No classes found. Ask an administrator to run: "+
			"kubectl tenama install --export=classes | kubectl create -f -")
		return nil
	}
	use, err := o.allowedToUse(ctx, c, list.Items)
	if err != nil {
		return err
	}
	if o.name != "" && o.output.format == "" {
		o.describe(&list.Items[0], use[0])
		return nil
	}
	t := o.table(list.Items, use)
	if err := t.Print(o.Out, o.renderer(o.Out)); err != nil {
		return err
	}
	o.noteDropped(t)
	return nil
}

// allowedToUse returns, for each class, whether the caller may use it: yes, no, broken, or
// <unknown> if that may not be asked.
func (o *classesOptions) allowedToUse(
	ctx context.Context, c *client.Client, classes []policyv1alpha1.NamespaceClass,
) ([]string, error) {
	out := make([]string, len(classes))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range classes {
		if meta.IsStatusConditionFalse(classes[i].Status.Conditions, policyv1alpha1.ConditionReady) {
			out[i] = "broken"
			continue
		}
		g.Go(func() error {
			ok, err := c.MayUse(ctx, classes[i].Name)
			switch {
			case apierrors.IsForbidden(err):
				out[i] = "<unknown>"
			case err != nil:
				return err
			case ok:
				out[i] = "yes"
			default:
				out[i] = "no"
			}
			return nil
		})
	}
	return out, g.Wait()
}

func (o *classesOptions) table(classes []policyv1alpha1.NamespaceClass, use []string) *term.Table {
	wide := o.output.format == "wide"
	t := &term.Table{}
	if !wide {
		t.Drop = []int{9, 6, 8, 7} // the description, storage, parameters, pods
	}
	if !o.noHeaders {
		t.Head = []string{"NAME", "USE", "TTL", "MAX-TTL", "CPU", "MEMORY", "STORAGE", "PODS", "PARAMETERS", "DESCRIPTION"}
		if wide {
			t.Head = append(t.Head, "ROLE", "POD-SECURITY", "PREFIX", "REVISION")
		}
	}
	for i := range classes {
		c := &classes[i]
		name := c.Name
		if isDefault(c) {
			name += " (default)"
		}
		ttl, maximum := lifetimeOf(&c.Spec.Lifetime)
		styles := map[string]term.Style{"yes": term.Good, "no": term.Dim, "broken": term.Bad}
		var params []string
		for _, p := range c.Spec.Parameters {
			params = append(params, p.Name)
		}
		amount := func(k corev1.ResourceName) term.Cell {
			if q, ok := c.Status.Reserved[k]; ok {
				return term.Cell{Text: q.String()}
			}
			return term.Cell{Text: "-"}
		}
		row := []term.Cell{{Text: name}, {Text: use[i], Style: styles[use[i]]}, {Text: ttl}, {Text: maximum},
			amount("requests.cpu"), amount("requests.memory"), amount("requests.storage"), amount("pods"),
			{Text: orDash(strings.Join(params, ","))}, {Text: c.Spec.Description}}
		if wide {
			row = append(row, term.Cell{Text: c.Spec.OwnerRole}, term.Cell{Text: string(c.Spec.PodSecurity)},
				term.Cell{Text: c.Status.Prefix}, term.Cell{Text: c.Status.Revision})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// lifetimeOf formats the default and the maximum lifetime of namespaces of a class.
func lifetimeOf(l *policyv1alpha1.Lifetime) (ttl, maximum string) {
	format := func(s int64) string { return term.FormatDuration(time.Duration(s) * time.Second) }
	switch l.Type {
	case v1alpha1.LifetimeUnbounded:
		return "never", "-"
	case v1alpha1.LifetimeRenewable:
		return format(l.DefaultTTLSeconds), "now+" + format(l.MaximumTTLSeconds)
	}
	return format(l.DefaultTTLSeconds), format(l.MaximumTTLSeconds)
}
