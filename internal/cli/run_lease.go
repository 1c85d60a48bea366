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
	renewed := h.c.Now() // by its creation
	next := h.nextCheck()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = h.nextCheck()
		err := h.check(ctx, &renewed)
		if ctx.Err() != nil {
			return
		}
		if client.IsGone(err) {
			h.gone = true
			fmt.Fprintf(h.ErrOut, "Warning: namespace %q is gone; the command keeps running without it.\n", h.tn.Name)
			return
		}
		if err != nil {
			next = retryEvery
			if h.c.Now().Sub(renewed) > leaseDuration/2 {
				h.warn("lease", "namespace %q cannot be renewed, and expires in %s or less: %v", h.tn.Name,
					term.FormatDuration(leaseDuration/2), err)
			}
		}
		if err := h.renewToken(ctx); err != nil {
			next = retryEvery
		}
	}
}

// check reads the namespace, or renews the lease if it is time to. Errors: NotFound if the
// namespace is gone, and those of the cluster.
func (h *leaseHolder) check(ctx context.Context, renewed *time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	renews := h.c.Now().Sub(*renewed) >= renewEvery
	tn, err := h.read(ctx)
	if renews && !client.IsGone(err) {
		tn, err = h.c.Renew(ctx, h.tn, h.c.Now())
	}
	if apierrors.IsConflict(err) {
		if _, gone := h.read(ctx); client.IsGone(gone) {
			return gone
		}
	}
	if err != nil {
		return err
	}
	if h.tn = tn; renews {
		*renewed = h.c.Now()
	}
	h.extendDeadline(ctx, tn)
	if err := h.writeExpiry(); err != nil {
		h.warn("expiry", "the command does not learn when the namespace expires: %v", err)
	}
	if at := v1alpha1.DeadlineOf(tn); !at.IsZero() && at.Sub(h.c.Now()) < deadlineWarning &&
		tn.Status.MaximumTTLSeconds == nil {
		h.warn("deadline", "namespace %q expires %s, even if the command is still running.", tn.Name,
			term.RelativeTime(at, h.c.Now()))
	}
	return nil
}

// renewToken replaces the token of the command if half of its life is over.
func (h *leaseHolder) renewToken(ctx context.Context) error {
	left := h.tokenExpiry.Sub(h.c.Now())
	if h.asMe || left >= childTokenLifetime/2 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := h.writeCredential(ctx)
	if err != nil && left < childTokenLifetime/4 {
		h.warn("token", "the credential of the command cannot be renewed, and expires in %s: %v",
			term.FormatDuration(left), err)
	}
	return err
}

// warn prints a warning of a kind once.
func (h *leaseHolder) warn(kind, format string, args ...any) {
	if h.warned[kind] {
		return
	}
	if h.warned == nil {
		h.warned = map[string]bool{}
	}
	h.warned[kind] = true
	fmt.Fprintf(h.ErrOut, "Warning: %s\n", term.Clean(fmt.Sprintf(format, args...)))
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
// It reports whether the namespace was gone before. A credential plugin cannot be interrupted;
// if one does not return, the namespace is left to its lease.
func (h *leaseHolder) finishRun(ctx context.Context, keep bool) (lost bool) {
	ctx, cancel := context.WithTimeout(ctx, finishRunTimeout)
	defer cancel()
	finished := make(chan bool, 1)
	go func() {
		if h.done != nil {
			<-h.done
		}
		finished <- h.finish(ctx, keep)
	}()
	select {
	case lost = <-finished:
	case <-time.After(finishRunTimeout + time.Second):
		fmt.Fprintf(h.ErrOut, "Warning: the login did not finish, so namespace %q was left; it expires in %s or less.\n",
			h.tn.Name, term.FormatDuration(leaseDuration))
	}
	return lost
}

func (h *leaseHolder) finish(ctx context.Context, keep bool) (lost bool) {
	if !h.gone {
		_, err := h.read(ctx)
		h.gone = client.IsGone(err)
	}
	switch {
	case h.gone && keep:
		fmt.Fprintf(h.ErrOut, "Warning: namespace %q is gone, so it cannot be kept.\n", h.tn.Name)
		return true
	case h.gone:
		return true
	case keep:
		h.keepNamespace(ctx)
		return false
	}
	_, err := h.c.Delete(ctx, h.tn.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(h.tn.UID))})
	if err == nil && len(h.command) == 0 { // a shell has ended
		fmt.Fprintf(h.ErrOut, "namespace/%s deleted.\n", h.tn.Name)
	}
	switch {
	case err == nil, client.IsGone(err):
	case apierrors.HasStatusCause(err, v1alpha1.CauseOnHold):
		fmt.Fprintln(h.ErrOut, "Warning: not deleted: "+term.Clean(serverMessage(err)))
	default:
		fmt.Fprintf(h.ErrOut, "Warning: namespace %q could not be deleted; it expires in %s or less: %s\n", h.tn.Name,
			term.FormatDuration(leaseDuration), term.Clean(err.Error()))
	}
	return client.IsGone(err)
}

func (h *leaseHolder) keepNamespace(ctx context.Context) {
	kept, err := h.c.ReleaseLease(ctx, h.tn, h.keptExpiry(ctx))
	if err != nil {
		fmt.Fprintf(h.ErrOut, "Warning: namespace %q could not be kept; it expires in %s or less: %s\n", h.tn.Name,
			term.FormatDuration(leaseDuration), term.Clean(err.Error()))
		return
	}
	line := fmt.Sprintf("namespace/%s kept", kept.Name)
	if t := kept.Status.ExpirationTimestamp; t != nil {
		line += "; it expires " + term.RelativeTime(t.Time, h.c.Now())
	}
	fmt.Fprintf(h.ErrOut, "%s. Switch to it: %s\n", line, h.commandAs("use %s", kept.Name))
}
