// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
)

// extendOptions holds the flags of one invocation of kubectl tenama extend.
type extendOptions struct {
	*factory
	output *outputFlag

	by     durationValue
	ttl    durationValue
	until  string
	reason string

	// clampToLimit is set without --by: extend by an hour, or as far as possible.
	clampToLimit bool
}

func newExtendCommand(f *factory) *cobra.Command {
	o := &extendOptions{factory: f, by: durationValue{time.Hour}}
	cmd := &cobra.Command{
		Use:   "extend [NAME]",
		Short: "Extend the lifetime of a namespace",
		Long: `Extend the lifetime of a namespace.

Without NAME, the namespace of the current context is extended. An extension never moves
the expiry to an earlier time. How far a namespace can be extended is fixed when it is
created. Without --by, --ttl and --until, it is extended by one hour, or as far as
possible.

If the class of the namespace ends namespaces that are not used, an extension is a use:
without --by, --ttl and --until, it keeps the namespace for the idle time of the class
from now.`,
		Example: `  # Add one hour
  kubectl tenama extend

  # Keep it for at least four hours from now; can be repeated
  kubectl tenama extend mr-42 --ttl 4h

  # Keep it until 18:30
  kubectl tenama extend --until 18:30 --reason "demo at six"`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			given := 0
			for _, flag := range []string{"by", "ttl", "until"} {
				if cmd.Flags().Changed(flag) {
					given++
				}
			}
			if given > 1 {
				return errors.New("--by, --ttl and --until cannot be used together")
			}
			o.reason = f.cleanReason(o.reason)
			o.clampToLimit = !cmd.Flags().Changed("by")
			return o.run(cmd.Context(), args)
		},
	}
	fs := cmd.Flags()
	fs.Var(&o.by, "by", "duration to add to the remaining lifetime")
	fs.Var(&o.ttl, "ttl", "minimum lifetime from now")
	fs.StringVar(&o.until, "until", "",
		"keep it until at least this time: 18:30 (next occurrence) or 2026-01-31T18:30 in local time, or RFC 3339")
	fs.StringVar(&o.reason, "reason", "", "reason of the extension, shown in lists")
	o.output = addOutputFlag(cmd, outputSingle)
	completeFlag(cmd, "by", completeDurations)
	completeFlag(cmd, "ttl", completeDurations)
	completeFlag(cmd, "until", cobra.NoFileCompletions)
	completeFlag(cmd, "reason", cobra.NoFileCompletions)
	return cmd
}

// current returns a function that computes the requested expiry.
func (o *extendOptions) expiryFunc() (func(*v1alpha1.TemporaryNamespace, time.Time) time.Time, error) {
	switch {
	case o.until != "":
		at, err := parseTime(o.until, time.Now())
		return func(_ *v1alpha1.TemporaryNamespace, _ time.Time) time.Time { return at }, err
	case o.ttl.d > 0:
		return func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(o.ttl.d) }, nil
	}
	return func(tn *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		from := now
		if t := tn.Status.ExpirationTimestamp; t != nil && t.After(now) { // not if its deletion is late
			from = t.Time
		}
		if tn.Status.IdleTTLSeconds != nil && o.clampToLimit { // it is a use
			limit, _ := latestExtension(tn, now)
			return limit
		}
		if limit, ok := latestExtension(tn, now); ok && o.clampToLimit && limit.After(from) &&
			limit.Before(from.Add(o.by.d)) {
			return limit
		}
		return from.Add(o.by.d)
	}, nil
}

// latestExtension returns the latest expiry that an extension of tn can set now, if there is a limit.
func latestExtension(tn *v1alpha1.TemporaryNamespace, now time.Time) (latest time.Time, ok bool) {
	fromNow := func(seconds int64) time.Time { // the server's clock is known to within two seconds (client.Skew)
		return now.Add(time.Duration(seconds)*time.Second - 2*time.Second)
	}
	switch s := tn.Status; {
	case s.MaximumExpirationTimestamp != nil:
		latest = s.MaximumExpirationTimestamp.Time
	case s.MaximumTTLSeconds != nil:
		latest = fromNow(*s.MaximumTTLSeconds)
	}
	if s := tn.Status.IdleTTLSeconds; s != nil {
		if idle := fromNow(*s); latest.IsZero() || idle.Before(latest) {
			latest = idle
		}
	}
	return latest, !latest.IsZero()
}

func (o *extendOptions) run(ctx context.Context, args []string) error {
	expiry, err := o.expiryFunc()
	if err != nil {
		return err
	}
	if err := o.output.validate(); err != nil {
		return err
	}
	c, tn, err := o.target(ctx, args)
	if err != nil {
		return err
	}
	if tn.Status.Lifetime == v1alpha1.LifetimeUnbounded {
		return fmt.Errorf("namespace %q does not expire", tn.Name)
	}
	if at := expiry(tn, c.Now()); o.until != "" && !at.After(c.Now()) {
		return fmt.Errorf("--until %s is in the past", o.until)
	}
	o.warnings.acknowledge(tn.Name)
	o.skipPrune = true
	before, after, err := c.Extend(ctx, tn.Name, expiry, o.reason, metav1.PatchOptions{})
	if err != nil {
		return o.explainRefusal(tn, expiry(tn, c.Now()), c.Now(), err)
	}
	action := "extended"
	if after.ResourceVersion == before.ResourceVersion {
		action = "unchanged"
	}
	if err := o.printObject(o.output, after, action); err != nil {
		return err
	}
	o.printExpiry(before, after, c.Now())
	if at := after.Status.ExpirationTimestamp; after.Status.IdleTTLSeconds != nil && at != nil &&
		at.Add(clockPrecision).Before(expiry(before, c.Now())) {
		fmt.Fprintf(o.ErrOut, "Warning: its class allows no later expiry without a further use: %s.\n", formatIdle(after))
	}
	if err := o.updateContext(ctx, after); err != nil {
		fmt.Fprintf(o.ErrOut, "Warning: the expiry in the kubeconfig was not updated: %s\n", term.Clean(err.Error()))
	}
	return nil
}

// explainRefusal says in a sentence why the namespace cannot be extended, or how far it can.
func (o *extendOptions) explainRefusal(tn *v1alpha1.TemporaryNamespace, wanted, now time.Time, err error) error {
	at := tn.Status.ExpirationTimestamp
	limit, limited := latestExtension(tn, now)
	switch {
	case !apierrors.IsInvalid(err) || at == nil:
	case extensionsUsed(tn):
		return fmt.Errorf("namespace %q cannot be extended again: it was extended %d of %d times, and expires %s",
			tn.Name, tn.Status.Extensions, *tn.Status.MaximumExtensions, term.RelativeTime(at.Time, now))
	case limited && !limit.After(at.Time):
		return fmt.Errorf("namespace %q cannot be extended: it expires %s, the latest time that its class allows",
			tn.Name, term.RelativeTime(at.Time, now))
	case limited && wanted.After(limit):
		return withHint(err, "to extend as far as possible, run: "+
			o.commandAs("extend %s --until %s", tn.Name, limit.UTC().Format(time.RFC3339)))
	}
	return err
}

// extensionsUsed reports whether tn was extended as often as its class allows.
func extensionsUsed(tn *v1alpha1.TemporaryNamespace) bool {
	most := tn.Status.MaximumExtensions
	return most != nil && tn.Status.Extensions >= *most
}

// updateContext updates the expiry in the kubeconfig entry of tn, if it has one.
func (o *extendOptions) updateContext(ctx context.Context, tn *v1alpha1.TemporaryNamespace) error {
	m, err := o.files().Load()
	at := latestExpiry(tn)
	if err != nil || at.IsZero() {
		return err
	}
	for _, known := range m.Entries() {
		if known.UID == string(tn.UID) {
			known.ExpiresAt = at
			if _, err := o.files().Add(ctx, known, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *extendOptions) printExpiry(before, after *v1alpha1.TemporaryNamespace, now time.Time) {
	at, previous, limit := after.Status.ExpirationTimestamp, before.Status.ExpirationTimestamp,
		after.Status.MaximumExpirationTimestamp
	if at == nil {
		return
	}
	line := "Expires " + term.RelativeTime(at.Time, now)
	if previous != nil && !previous.Equal(at) {
		line += ", was " + term.FormatTime(previous.Time, now)
	}
	if after.Status.IdleTTLSeconds != nil {
		line += "; " + formatIdle(after)
	}
	if limit != nil {
		line += "; extendable until " + term.FormatTime(limit.Time, now)
	}
	if s := after.Status.MaximumTTLSeconds; s != nil {
		line += fmt.Sprintf("; extendable to %s from now", term.FormatDuration(time.Duration(*s)*time.Second))
	}
	if n := after.Status.MaximumExtensions; n != nil {
		line += fmt.Sprintf("; extended %d of %d times", after.Status.Extensions, *n)
	}
	fmt.Fprintln(o.ErrOut, line+".")
}
