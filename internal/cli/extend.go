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
)

// extendOptions holds the flags of one invocation of kubectl tenama extend.
type extendOptions struct {
	*factory
	output *outputFlag

	name   string
	by     durationValue
	ttl    durationValue
	until  string
	reason string

	// upToMost is set without --by: extend by an hour, or as far as possible.
	upToMost bool
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
possible.`,
		Example: `  # Add one hour
  kubectl tenama extend

  # Keep it for at least four hours from now; can be repeated
  kubectl tenama extend mr-42 --ttl 4h

  # Keep it until 18:30
  kubectl tenama extend --until 18:30 --reason "demo at six"`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.one(args); err != nil {
				return err
			}
			said := 0
			for _, flag := range []string{"by", "ttl", "until"} {
				if cmd.Flags().Changed(flag) {
					said++
				}
			}
			if said > 1 {
				return errors.New("--by, --ttl and --until cannot be used together")
			}
			o.upToMost = !cmd.Flags().Changed("by")
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.Var(&o.by, "by", "duration to add to the remaining lifetime")
	fs.Var(&o.ttl, "ttl", "minimum lifetime from now")
	fs.StringVar(&o.until, "until", "", "keep it until at least this time: 18:30 (next occurrence) or 2026-01-31T18:30 in local time, or RFC 3339")
	fs.StringVar(&o.reason, "reason", "", "reason of the extension, shown in lists")
	o.output = addOutputFlag(cmd, one)
	return cmd
}

// target returns a function that computes the requested expiry.
func (o *extendOptions) target() (func(*v1alpha1.TemporaryNamespace, time.Time) time.Time, error) {
	switch {
	case o.until != "":
		at, err := parseTime(o.until, time.Now())
		return func(_ *v1alpha1.TemporaryNamespace, _ time.Time) time.Time { return at }, err
	case o.ttl.d > 0:
		return func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(o.ttl.d) }, nil
	}
	return func(tn *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		from := now
		if t := tn.Status.ExpirationTimestamp; t != nil {
			from = t.Time
		}
		if most, ok := reach(tn, now); ok && o.upToMost && most.After(from) && most.Before(from.Add(o.by.d)) {
			return most
		}
		return from.Add(o.by.d)
	}, nil
}

// reach returns the latest expiry that an extension of tn can set now, if there is a limit.
func reach(tn *v1alpha1.TemporaryNamespace, now time.Time) (time.Time, bool) {
	switch s := tn.Status; {
	case s.MaximumExpirationTimestamp != nil:
		return s.MaximumExpirationTimestamp.Time, true
	case s.MaximumTTLSeconds != nil:
		// The server's clock is known to within two seconds (client.Skew).
		return now.Add(time.Duration(*s.MaximumTTLSeconds)*time.Second - 2*time.Second), true
	}
	return time.Time{}, false
}

func (o *extendOptions) run(ctx context.Context) error {
	target, err := o.target()
	if err != nil {
		return err
	}
	if err := o.output.validate(); err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	tn, err := o.find(ctx, c, o.name)
	if err != nil {
		return err
	}
	if tn.Status.Lifetime == v1alpha1.LifetimeUnbounded {
		return fmt.Errorf("namespace %q does not expire", tn.Name)
	}
	if at := target(tn, c.Now()); o.until != "" && !at.After(c.Now()) {
		return fmt.Errorf("--until %s is in the past", o.until)
	}
	o.heard.deal(tn.Name)
	o.wrote = true
	before, after, err := c.Extend(ctx, tn.Name, target, o.reason, metav1.PatchOptions{})
	if err != nil {
		expiry := tn.Status.ExpirationTimestamp
		if most, ok := reach(tn, c.Now()); apierrors.IsInvalid(err) && ok && target(tn, c.Now()).After(most) && expiry != nil && most.After(expiry.Time) {
			return advise(err, fmt.Sprintf("to extend as far as possible, run: kubectl tenama extend %s --until %s", tn.Name, most.UTC().Format(time.RFC3339)))
		}
		return err
	}
	done := "extended"
	if after.ResourceVersion == before.ResourceVersion {
		done = "unchanged"
	}
	if err := o.object(o.output, after, done); err != nil {
		return err
	}
	o.tell(before, after, c.Now())
	if err := o.note(ctx, after); err != nil {
		fmt.Fprintf(o.ErrOut, "Warning: the expiry in the kubeconfig was not updated: %s\n", clean(err.Error()))
	}
	return nil
}

// note updates the expiry in the kubeconfig entry of tn, if it has one.
func (o *extendOptions) note(ctx context.Context, tn *v1alpha1.TemporaryNamespace) error {
	m, err := o.files().Load()
	at := lastsUntil(tn)
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

func (o *extendOptions) tell(before, after *v1alpha1.TemporaryNamespace, now time.Time) {
	at, was, most := after.Status.ExpirationTimestamp, before.Status.ExpirationTimestamp, after.Status.MaximumExpirationTimestamp
	if at == nil {
		return
	}
	line := "Expires " + in(at.Time, now)
	if was != nil && !was.Equal(at) {
		line += ", was " + clockTime(was.Time, now)
	}
	if most != nil {
		line += "; extendable until " + clockTime(most.Time, now)
	}
	if s := after.Status.MaximumTTLSeconds; s != nil {
		line += fmt.Sprintf("; extendable to %s from now", human(time.Duration(*s)*time.Second))
	}
	if n := after.Status.MaximumExtensions; n != nil {
		line += fmt.Sprintf("; extended %d of %d times", after.Status.Extensions, *n)
	}
	fmt.Fprintln(o.ErrOut, line+".")
}
