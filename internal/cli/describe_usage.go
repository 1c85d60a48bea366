// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// history prints the latest extensions, the newest last.
func (o *describeOptions) history(tn *v1alpha1.TemporaryNamespace, now time.Time) {
	if len(tn.Status.History) == 0 {
		return
	}
	fmt.Fprintln(o.Out)
	t := &term.Table{Head: []string{"EXTENDED", "BY", "UNTIL", "REASON"}, Long: 3, Drop: []int{3, 2}}
	for _, e := range tn.Status.History {
		t.Rows = append(t.Rows, []term.Cell{
			{Text: term.FormatTime(e.Time.Time, now)}, {Text: e.User},
			{Text: term.FormatTime(e.ExpirationTimestamp.Time, now)}, {Text: e.Reason},
		})
	}
	_ = t.Print(o.Out, o.renderer(o.Out))
}

// shownEvents is the number of Events that describe shows.
const shownEvents = 5

// events prints the latest Events of the broker in a namespace, the newest last. Those about
// extensions are part of the history.
func (o *describeOptions) events(ctx context.Context, c *client.Client, name string, now time.Time) {
	all, err := c.Events(ctx, name)
	if err != nil {
		return // a role without read access to them
	}
	t := &term.Table{Head: []string{"EVENT", "REASON", "MESSAGE"}, Long: 2}
	for i := range all {
		if e := &all[i]; e.Reason != v1alpha1.EventExtended {
			style := term.Plain
			if e.Type == corev1.EventTypeWarning {
				style = term.Warning
			}
			t.Rows = append(t.Rows, []term.Cell{
				{Text: term.FormatTime(e.LastTimestamp.Time, now)}, {Text: e.Reason, Style: style}, {Text: e.Message},
			})
		}
	}
	if t.Rows = t.Rows[max(0, len(t.Rows)-shownEvents):]; len(t.Rows) > 0 {
		fmt.Fprintln(o.Out)
		_ = t.Print(o.Out, o.renderer(o.Out))
	}
}

// quotas prints the usage of each quota, near-full resources highlighted, and the
// resource that is nearest to its limit; unused ones are only counted, except those in
// shownUnused.
func (o *describeOptions) quotas(rails *client.GuardRails) {
	for i := range rails.Quotas.Items {
		q := &rails.Quotas.Items[i]
		fmt.Fprintf(o.Out, "\nQuota %s\n", term.Clean(q.Name))
		t := &term.Table{Head: []string{"RESOURCE", "USED", "HARD"}}
		unused, nearest, highest := 0, "", 0.0
		for _, k := range sortedNames(q.Spec.Hard) {
			used, hard := q.Status.Used[k], q.Spec.Hard[k]
			if used.IsZero() && !shownUnused[k] {
				unused++
				continue
			}
			style := term.Plain
			share := usageRatio(used, hard)
			if share >= 1 {
				style = term.Bad
			} else if share >= 0.8 {
				style = term.Warning
			}
			if share > highest {
				nearest, highest = fmt.Sprintf("%s, %s of %s", k, used.String(), hard.String()), share
			}
			t.Rows = append(t.Rows, []term.Cell{{Text: string(k)}, {Text: used.String(), Style: style}, {Text: hard.String()}})
		}
		_ = t.Print(o.Out, o.renderer(o.Out))
		if unused > 0 {
			fmt.Fprintf(o.Out, "and %d more, all unused\n", unused)
		}
		if highest >= 0.5 { // below, it says nothing
			fmt.Fprintf(o.Out, "Nearest to its limit: %s\n", nearest)
		}
	}
}

// shownUnused lists the resources that are shown even if unused.
var shownUnused = map[corev1.ResourceName]bool{
	"requests.cpu": true, "requests.memory": true, "limits.cpu": true, "limits.memory": true,
	"requests.storage": true, "pods": true,
}

// budgets prints the usage of the budgets that a namespace counts towards.
func (o *describeOptions) budgets(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	list, err := c.Budgets(ctx)
	if err != nil {
		return nil // budgets are not readable for all users
	}
	t := &term.Table{Head: []string{"BUDGET", "RESOURCE", "USED", "HARD", "SCOPE"}}
	row := func(budget, by string, used, hard corev1.ResourceList) {
		for _, k := range sortedNames(hard) {
			u, h := used[k], hard[k]
			t.Rows = append(t.Rows, []term.Cell{
				{Text: budget}, {Text: string(k)}, {Text: u.String()}, {Text: h.String()}, {Text: by},
			})
		}
	}
	for i := range list.Items {
		b := &list.Items[i]
		if !b.Spec.Counts(tn.Spec.ClassName) {
			continue
		}
		row(b.Name, "all", b.Status.Used, policyv1alpha1.Normal(b.Spec.Total))
		for _, g := range b.Spec.Groups {
			for _, u := range b.Status.Groups {
				if u.Name == g.Name {
					row(b.Name, "group "+g.Name, u.Used, policyv1alpha1.Normal(g.Hard))
				}
			}
		}
		if len(b.Spec.PerUser) > 0 {
			user, err := c.User(ctx)
			if err != nil || user != tn.Status.Owner { // other users' usage is not visible
				continue
			}
			own, err := o.listOwn(ctx, c)
			if err != nil {
				return err
			}
			row(b.Name, user, taken(own, user, &b.Spec), policyv1alpha1.Normal(b.Spec.PerUser))
		}
	}
	if len(t.Rows) > 0 {
		fmt.Fprintln(o.Out)
		_ = t.Print(o.Out, o.renderer(o.Out))
	}
	return nil
}

// taken returns the amounts of a budget that a user has taken, according to the given
// namespaces.
func taken(all []v1alpha1.TemporaryNamespace, user string, b *policyv1alpha1.NamespaceBudgetSpec) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := range all {
		if all[i].Status.Owner != user || !b.Counts(all[i].Spec.ClassName) {
			continue
		}
		for k, q := range all[i].Status.Reserved {
			sum := out[corev1.ResourceName(k)]
			sum.Add(q)
			out[corev1.ResourceName(k)] = sum
		}
	}
	return out
}

// usageRatio returns used divided by hard; 0 if hard is 0.
func usageRatio(used, hard resource.Quantity) float64 {
	if hard.IsZero() {
		return 0
	}
	return used.AsApproximateFloat64() / hard.AsApproximateFloat64()
}
