// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// keepLease renews the lease and the token until ctx is done or the namespace is gone.
func (h *leaseHolder) keepLease(ctx context.Context) {
	warned := false
	renewed := h.c.Now() // by its creation
	next := h.nextCheck()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = h.nextCheck()
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		if !h.asMe && h.tokenExpiry.Sub(h.c.Now()) < childTokenLifetime/2 && h.writeCredential(attempt) != nil {
			next = retryEvery
		}
		renews := h.c.Now().Sub(renewed) >= renewEvery
		tn, err := h.read(attempt)
		if renews && !client.IsGone(err) {
			tn, err = h.c.Renew(attempt, h.tn, h.c.Now())
		}
		switch {
		case ctx.Err() != nil:
		case client.IsGone(err), apierrors.IsConflict(err) && h.isOver(attempt):
			h.gone.Store(true)
			fmt.Fprintf(h.ErrOut, "Warning: namespace %q is gone; the command keeps running without it.\n", h.tn.Name)
			cancel()
			return
		case err != nil:
			next = retryEvery
		default:
			if h.tn = tn; renews {
				renewed = h.c.Now()
			}
			h.extendDeadline(attempt, tn)
			if at := v1alpha1.DeadlineOf(tn); !warned && !at.IsZero() && at.Sub(h.c.Now()) < deadlineWarning &&
				tn.Status.MaximumTTLSeconds == nil {
				warned = true
				fmt.Fprintf(h.ErrOut, "Warning: namespace %q expires %s, even if the command is still running.\n", tn.Name,
					term.RelativeTime(at, h.c.Now()))
			}
		}
		cancel()
	}
}

// nextCheck returns the delay until the next check: checkEvery, or until just after the
// deadline, which renewals do not move.
func (h *leaseHolder) nextCheck() time.Duration {
	if at := v1alpha1.DeadlineOf(h.tn); !at.IsZero() {
		return min(checkEvery, max(at.Sub(h.c.Now())+2*time.Second, retryEvery))
	}
	return checkEvery
}

// read returns the namespace as it is now. Errors: NotFound, also if it is being deleted or
// was replaced by another one of the name, and those of the broker.
func (h *leaseHolder) read(ctx context.Context) (*v1alpha1.TemporaryNamespace, error) {
	now, err := h.c.Get(ctx, h.tn.Name)
	if err == nil && (now.UID != h.tn.UID || now.DeletionTimestamp != nil) {
		return nil, apierrors.NewNotFound(v1alpha1.Resource.GroupResource(), h.tn.Name)
	}
	return now, err
}

// isOver reports whether the namespace is gone or being deleted.
func (h *leaseHolder) isOver(ctx context.Context) bool {
	_, err := h.read(ctx)
	return client.IsGone(err)
}

// extendDeadline extends a namespace with a renewable lifetime: its class limits each
// extension from now rather than the total since creation, so the deadline has to be
// moved repeatedly.
func (h *leaseHolder) extendDeadline(ctx context.Context, tn *v1alpha1.TemporaryNamespace) {
	maximum, at := tn.Status.MaximumTTLSeconds, v1alpha1.DeadlineOf(tn)
	if h.ttl.d > 0 || maximum == nil || at.Sub(h.c.Now()) > time.Duration(*maximum)*time.Second/2 {
		return
	}
	_, after, err := h.c.Extend(ctx, tn.Name, func(tn *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		to, _ := latestExtension(tn, now)
		return to
	}, "", metav1.PatchOptions{})
	if err == nil { // a refused extension changes nothing
		h.tn = after
	}
}

// keptExpiry returns the expiry of a kept namespace: that of --ttl, or that of one just created.
func (h *leaseHolder) keptExpiry(ctx context.Context) time.Time {
	at := h.c.Now().Add(24 * time.Hour) // if the class sets no lifetime
	if class, err := h.c.Class(ctx, h.tn.Spec.ClassName); err == nil && class.Spec.Lifetime.DefaultTTLSeconds > 0 {
		at = h.c.Now().Add(time.Duration(class.Spec.Lifetime.DefaultTTLSeconds) * time.Second)
	}
	if end := v1alpha1.DeadlineOf(h.tn); !end.IsZero() && (h.ttl.d > 0 || end.Before(at)) {
		return end
	}
	return at
}

// finishRun deletes the namespace, or with keep releases its lease so that it lives for its TTL.
func (h *leaseHolder) finishRun(ctx context.Context, keep bool) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if h.isGone() {
		return
	}
	if keep {
		kept, err := h.c.ReleaseLease(ctx, h.tn, h.keptExpiry(ctx))
		if err != nil {
			fmt.Fprintf(h.ErrOut, "Warning: namespace %q could not be kept; it expires in 12 minutes or less: %s\n", h.tn.Name,
				term.Clean(err.Error()))
			return
		}
		line := fmt.Sprintf("namespace/%s kept", kept.Name)
		if t := kept.Status.ExpirationTimestamp; t != nil {
			line += "; it expires " + term.RelativeTime(t.Time, h.c.Now())
		}
		fmt.Fprintf(h.ErrOut, "%s. Switch to it: kubectl tenama use %s\n", line, kept.Name)
		return
	}
	_, err := h.c.Delete(ctx, h.tn.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(h.tn.UID))})
	if err != nil && !client.IsGone(err) {
		fmt.Fprintf(h.ErrOut, "Warning: namespace %q could not be deleted; it expires in 12 minutes or less: %s\n", h.tn.Name,
			term.Clean(err.Error()))
	}
}
