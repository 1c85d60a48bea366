// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// clockPrecision is how far an expiry may be off because of the client's knowledge of the
// server's clock, without being called too early.
const clockPrecision = 5 * time.Second

// keepAlive extends an existing namespace to live for at least --ttl from now. If its class
// does not allow that, it is extended as far as possible, with a warning: a pipeline must not
// fail because its merge request has become old. Where the class limits the number of
// extensions, one that gains less than a tenth of --ttl is not made.
func (o *createOptions) keepAlive(
	ctx context.Context, c *client.Client, existing *v1alpha1.TemporaryNamespace,
) (*v1alpha1.TemporaryNamespace, string, error) {
	until := func(tn *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		wanted := cmp.Or(o.ttl.d, time.Hour) // without --ttl, it has expired, or this is a use
		if s := tn.Status.IdleTTLSeconds; s != nil {
			wanted = time.Duration(*s) * time.Second
		}
		at := now.Add(wanted)
		if limit, ok := latestExtension(tn, now); ok && limit.Before(at) {
			return limit
		}
		return at
	}
	after, action := existing, "unchanged"
	var refusal error
	if o.isWorthExtending(existing, until(existing, c.Now())) {
		before, extended, err := c.Extend(ctx, existing.Name, until, o.reason, metav1.PatchOptions{})
		switch {
		case apierrors.IsInvalid(err): // used up meanwhile
			refusal = err
			if after, err = c.Get(ctx, existing.Name); err != nil {
				return nil, "", err
			}
		case err != nil:
			return nil, "", err
		case extended.ResourceVersion != before.ResourceVersion:
			action = "extended"
			fallthrough
		default:
			after = extended
		}
	}
	o.warnEarlyEnd(after, c.Now(), refusal)
	return after, action, nil
}

// isWorthExtending reports whether an extension until that time should be made.
func (o *createOptions) isWorthExtending(tn *v1alpha1.TemporaryNamespace, until time.Time) bool {
	at := tn.Status.ExpirationTimestamp
	if at == nil || tn.Status.MaximumExtensions == nil {
		return true
	}
	return !extensionsUsed(tn) && until.Sub(at.Time) >= o.ttl.d/10
}

// warnEarlyEnd warns if the namespace ends before --ttl is over because of its class, or because
// the broker refused the extension.
func (o *createOptions) warnEarlyEnd(tn *v1alpha1.TemporaryNamespace, now time.Time, refusal error) {
	at := tn.Status.ExpirationTimestamp
	wanted := now.Add(o.ttl.d)
	if at == nil || !at.Add(clockPrecision).Before(wanted) {
		return
	}
	why := ""
	if refusal != nil {
		why = term.Clean(serverMessage(refusal))
	}
	if limit, limited := latestExtension(tn, now); limited && limit.Add(clockPrecision).Before(wanted) {
		why = "the latest time that its class allows"
		if tn.Status.IdleTTLSeconds != nil {
			why = formatIdle(tn)
		}
	}
	if extensionsUsed(tn) {
		why = fmt.Sprintf("it was extended %d of %d times", tn.Status.Extensions, *tn.Status.MaximumExtensions)
	}
	if why != "" {
		fmt.Fprintf(o.ErrOut, "Warning: namespace %q expires %s, before --ttl %s is over: %s.\n", tn.Name,
			term.RelativeTime(at.Time, now), term.FormatDuration(o.ttl.d), why)
	}
}
