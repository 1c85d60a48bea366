// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// describeOptions holds the flags of one invocation of kubectl tenama describe.
type describeOptions struct {
	*factory
	output *outputFlag
}

func newDescribeCommand(f *factory) *cobra.Command {
	o := &describeOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "describe [NAME]",
		Short: "Show details of a namespace",
		Long: `Show details of a namespace: its expiry and how far it can be extended, the usage of
its quotas, its other guard rails, and the usage of the budgets that it counts against.

Without NAME, the namespace of the current context is shown.`,
		Example: `  kubectl tenama describe
  kubectl tenama describe mr-42

  # Print variables for a pipeline
  kubectl tenama describe mr-42 -o env`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.output.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), args)
		},
	}
	o.output = addOutputFlag(cmd, outputSingle)
	return cmd
}

func (o *describeOptions) run(ctx context.Context, args []string) error {
	c, tn, err := o.target(ctx, args)
	var shared *sharedError
	if errors.As(err, &shared) && o.output.human() {
		return o.describeShared(ctx, c, shared.tn)
	}
	if err != nil {
		return err
	}
	if !o.output.human() {
		return o.printObject(o.output, tn, "")
	}
	rails, err := c.GuardRails(ctx, tn.Name)
	if err != nil {
		return err
	}
	now := c.Now()
	status, _, _ := state(tn, now)
	t := &term.Fields{}
	t.Add("Name", tn.Name)
	t.Add("Status", status)
	t.Add("Owner", ownerOf(tn))
	class := tn.Spec.ClassName
	known := revisions(ctx, c)
	switch present, there := known[class]; {
	case known == nil: // classes are not readable
	case !there:
		class += " (deleted)"
	case present != tn.Status.ClassRevision:
		class += " (outdated: kubectl tenama refresh " + tn.Name + ")"
	}
	t.Add("Class", class)
	t.Add("Parameters", formatPairs(tn.Spec.Parameters))
	_, limits, limited := strings.Cut(formatLifetime(tn, now), "; ")
	switch at := tn.Status.ExpirationTimestamp; {
	case tn.DeletionTimestamp != nil:
		t.Add("Terminating", fmt.Sprintf("for %s; to see what blocks the deletion, run: kubectl tenama doctor %s",
			term.FormatDuration(now.Sub(tn.DeletionTimestamp.Time)), tn.Name))
		t.Add("Remaining", remaining(tn))
	case at != nil && limited:
		t.Add("Expires", term.RelativeTime(at.Time, now))
		t.Add("Limits", limits)
	case at != nil:
		t.Add("Expires", term.RelativeTime(at.Time, now))
		t.Add("Lifetime", formatLifetime(tn, now))
	default:
		t.Add("Lifetime", formatLifetime(tn, now))
	}
	t.Add("Reason", tn.Spec.Reason)
	t.Add("Labels", formatPairs(tn.Labels))
	t.Add("Guard rails", guardRails(rails))
	if shares, err := c.Shares(ctx, tn.Name); err == nil {
		var with []string
		for _, s := range shares {
			with = append(with, formatSubject(s.Subject)+" ("+s.Role+")")
		}
		t.Add("Shared with", strings.Join(with, ", "))
	}
	t.Print(o.Out)
	o.quotas(rails)
	return o.budgets(ctx, c, tn)
}

// describeShared shows what others may know about a namespace that is shared with them.
func (o *describeOptions) describeShared(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	now := c.Now()
	t := &term.Fields{}
	t.Add("Name", tn.Name)
	t.Add("Status", "Shared with you")
	t.Add("Owner", ownerOf(tn))
	t.Add("Class", tn.Spec.ClassName)
	switch at := tn.Status.ExpirationTimestamp; {
	case tn.DeletionTimestamp != nil:
		t.Add("Terminating", "for "+term.FormatDuration(now.Sub(tn.DeletionTimestamp.Time)))
	case at != nil:
		t.Add("Expires", term.RelativeTime(at.Time, now)+"; only its owner can extend it")
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		t.Add("Lifetime", "until deleted")
	}
	t.Add("Reason", tn.Spec.Reason)
	rails, err := c.GuardRails(ctx, tn.Name)
	if err != nil { // a role without read access to them
		t.Print(o.Out)
		return nil
	}
	t.Add("Guard rails", guardRails(rails))
	t.Print(o.Out)
	o.quotas(rails)
	return nil
}

func guardRails(rails *client.GuardRails) string {
	var out []string
	for i := range rails.LimitRanges.Items {
		out = append(out, "LimitRange/"+rails.LimitRanges.Items[i].Name)
	}
	for i := range rails.NetworkPolicies.Items {
		out = append(out, "NetworkPolicy/"+rails.NetworkPolicies.Items[i].Name)
	}
	return strings.Join(out, ", ")
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

// formatPairs formats a map as sorted NAME=VALUE pairs.
func formatPairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

// formatReserved formats the amounts that a namespace takes of the budgets: the costly resources
// first, the others as a count, without the namespace itself.
func formatReserved(reserved map[string]resource.Quantity) string {
	var out []string
	first := []string{"requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "requests.storage", "pods"}
	for _, k := range first {
		if q, ok := reserved[k]; ok {
			out = append(out, k+" "+q.String())
		}
	}
	if rest := len(reserved) - len(out) - 1; rest > 0 {
		out = append(out, fmt.Sprintf("%d more", rest))
	}
	return strings.Join(out, ", ")
}

func ownerOf(tn *v1alpha1.TemporaryNamespace) string {
	if g := tn.Status.OwnerGroup; g != "" {
		return fmt.Sprintf("group %s (created by %s)", g, tn.Status.Owner)
	}
	return tn.Status.Owner
}

// formatLifetime formats how long a namespace lives and how far it can be extended.
func formatLifetime(tn *v1alpha1.TemporaryNamespace, now time.Time) string {
	at := tn.Status.ExpirationTimestamp
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return "until deleted"
	case at == nil && tn.Spec.TTLSeconds != nil:
		return term.FormatDuration(time.Duration(*tn.Spec.TTLSeconds) * time.Second)
	case at == nil:
		return "<unknown>"
	}
	out := "until " + term.FormatTime(at.Time, now)
	if s := tn.Status.MaximumTTLSeconds; s != nil {
		out += fmt.Sprintf("; extendable to %s from now", term.FormatDuration(time.Duration(*s)*time.Second))
	} else if t := tn.Status.MaximumExpirationTimestamp; t != nil {
		out += "; extendable until " + term.FormatTime(t.Time, now)
	}
	if n := tn.Status.MaximumExtensions; n != nil {
		out += fmt.Sprintf("; extended %d of %d times", tn.Status.Extensions, *n)
	}
	return out
}
