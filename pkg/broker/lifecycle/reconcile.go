// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tenama.dev/tenama/api/v1alpha1"
)

const (
	// takeoverAfter is how long a namespace that is not ready is left to the replica that
	// created it, and to repeated requests.
	takeoverAfter = 60 * time.Second
	// uncontainedRetry is the requeue delay while containment is not proven.
	uncontainedRetry = 5 * time.Second
	// conflictRetry is the requeue delay after a deletion that another change prevented.
	conflictRetry = 2 * time.Second
	// rejectedFor is how long a rejected namespace is left to the replica that rejected
	// it.
	rejectedFor = 10 * time.Second
	// giveUpAfter is the age at which a namespace that cannot be completed is deleted.
	giveUpAfter = 10 * time.Minute
)

// Due returns when a namespace needs the broker next: at its expiry, or before
// that, to be completed, if it is not ready; or, if its deletion hangs, to revoke the
// access to it. Zero is never. A namespace that an administrator holds is never due, nor
// is one whose expiry cannot be read: it is kept.
func (m *Manager) Due(ns *corev1.Namespace) (time.Time, error) {
	if ns.DeletionTimestamp != nil {
		return m.revokeDue(ns), nil
	}
	if v1alpha1.OnHold(ns) {
		return time.Time{}, nil
	}
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the expiry of %q: %w", ns.Name, err)
	}
	if ns.Annotations[v1alpha1.AnnotationRefused] != "" {
		return ns.CreationTimestamp.Add(rejectedFor), nil
	}
	at := life.Expiry(ns.CreationTimestamp.Time)
	if complete := ns.CreationTimestamp.Add(takeoverAfter); ns.Annotations[v1alpha1.AnnotationReady] != "true" &&
		(at.IsZero() || complete.Before(at)) {
		at = complete
	}
	return at, nil
}

// Reconcile deletes a namespace that has expired, completes one that its creator left
// incomplete, and revokes the access to one whose deletion hangs. It returns when to
// call it again; zero is never. It decides by the cache; the preconditions of its
// writes make a stale cache harmless.
func (m *Manager) Reconcile(ctx context.Context, name string) (time.Time, error) {
	ns := m.Cache.Get(name)
	if ns == nil || !v1alpha1.IsManaged(ns) {
		m.backlog.forget(name)
		return time.Time{}, nil
	}
	at, err := m.Due(ns)
	if err != nil || at.IsZero() {
		m.backlog.forget(name)
		return time.Time{}, nil // an unreadable expiry was reported when it was seen
	}
	if m.Now().Before(at) {
		m.backlog.forget(name)
		return at, nil
	}
	if m.Contained() != nil {
		m.backlog.forget(name)
		return m.Now().Add(uncontainedRetry), nil
	}
	if ns.Annotations[v1alpha1.AnnotationRefused] != "" && ns.DeletionTimestamp == nil {
		return time.Time{}, m.Discard(ctx, ns, errors.New("it did not fit into a budget"))
	}
	expiry := expiryOf(ns)
	if ends := !expiry.IsZero() && !m.Now().Before(expiry); ends || ns.DeletionTimestamp != nil {
		return m.end(ctx, ns, expiry)
	}
	return m.resume(ctx, ns)
}

// end deletes a namespace that has expired, or revokes the access to one whose deletion
// hangs, unless an administrator paused that or the namespace has to wait for its turn.
func (m *Manager) end(ctx context.Context, ns *corev1.Namespace, expiry time.Time) (again time.Time, _ error) {
	told, err := m.instructions(ctx)
	if err != nil || told.paused { // which was logged
		m.backlog.forget(ns.Name)
		return m.Now().Add(askAgain), nil
	}
	if ns.DeletionTimestamp != nil {
		return m.revoke(ctx, ns)
	}
	if wait := m.mayExpire(ns, expiry, told); wait > 0 {
		return m.Now().Add(wait), nil
	}
	again, err = m.expire(ctx, ns, expiry)
	if again.IsZero() { // it is deleted, or could not be
		m.backlog.forget(ns.Name)
	}
	return again, err
}

// expire deletes the version of the namespace that was seen to have expired. If it was
// extended or changed meanwhile, or another replica was faster, nothing is deleted: the
// event of that change brings a new time. It returns when to look again without one.
func (m *Manager) expire(ctx context.Context, ns *corev1.Namespace, at time.Time) (again time.Time, _ error) {
	lag := m.Now().Sub(at)
	err := m.deleteExact(ctx, ns)
	switch {
	case apierrors.IsNotFound(err):
		return time.Time{}, nil
	case apierrors.IsConflict(err):
		return m.Now().Add(conflictRetry), nil
	case err != nil:
		return time.Time{}, fmt.Errorf("delete expired namespace %q: %w", ns.Name, err)
	}
	m.Expired(lag)
	m.Log.Info("Expired", "namespace", ns.Name, "uid", ns.UID, "owner", ns.Annotations[v1alpha1.AnnotationOwner], "expiry",
		at.UTC().Format(time.RFC3339), "lagMilliseconds", lag.Milliseconds())
	return time.Time{}, nil
}

// resume completes a namespace that its creator left incomplete, or deletes it if
// that is not possible.
func (m *Manager) resume(ctx context.Context, ns *corev1.Namespace) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	seen := ns.ResourceVersion
	ns, err := m.read(ctx, ns)
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, ErrUID):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("complete a namespace: %w", err)
	case ns.ResourceVersion != seen: // it may be complete, or needed no longer
		return m.Now().Add(conflictRetry), nil
	}
	class, err := m.Classes.Class(ctx, ns.Labels[v1alpha1.LabelClass])
	if err == nil && class.Status.Revision != ns.Annotations[v1alpha1.AnnotationClassRevision] {
		err = fmt.Errorf("class %q has changed since", class.Name)
	}
	if err != nil { // the objects of the namespace's revision are no longer known
		return time.Time{}, m.Discard(ctx, ns, err)
	}
	if err := m.Admission.Admitted(ns); apierrors.IsNotFound(err) {
		return time.Time{}, nil
	} else if err != nil {
		_, err := m.reject(ctx, ns, err)
		if apierrors.IsForbidden(err) { // the reason of the rejection
			err = nil
		}
		return time.Time{}, err
	}
	manifests, err := m.Render(class, Values(ns))
	if err == nil {
		_, err = m.complete(ctx, Request{Namespace: ns, Class: class, Manifests: manifests, Owner: ownerInfo(ns)})
	}
	if err != nil {
		if permanent(err) || m.Now().Sub(ns.CreationTimestamp.Time) > giveUpAfter {
			return time.Time{}, m.Discard(ctx, ns, err)
		}
		return time.Time{}, fmt.Errorf("complete namespace %q: %w", ns.Name, err)
	}
	m.Log.Info("Resumed provisioning", "namespace", ns.Name, "uid", ns.UID, "creator",
		ns.Annotations[v1alpha1.AnnotationCreator])
	return time.Time{}, nil
}
