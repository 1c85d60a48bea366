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
	"k8s.io/apimachinery/pkg/api/resource"

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
its quotas, its other guard rails, the latest Events of tenama in it, and the usage of
the budgets that it counts against.

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
	t.Add("On hold", onHold(tn))
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
	case at != nil && onHold(tn) != "":
		t.Add("Expires", "not while it is on hold; otherwise "+term.RelativeTime(at.Time, now))
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
	o.history(tn, now)
	o.events(ctx, c, tn.Name, now)
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
	if tn.Status.IdleTTLSeconds != nil {
		out += "; " + formatIdle(tn)
	}
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

// formatIdle formats how long a namespace is kept after each use.
func formatIdle(tn *v1alpha1.TemporaryNamespace) string {
	idle := time.Duration(*tn.Status.IdleTTLSeconds) * time.Second
	if s := tn.Spec.LeaseDurationSeconds; s != nil {
		idle = min(idle, time.Duration(*s)*time.Second)
	}
	return "kept for " + term.FormatDuration(idle) + " after each use"
}
