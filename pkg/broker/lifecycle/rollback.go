// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// detach returns a context that outlives its caller, for at most d.
func detach(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

// errUnchanged ends a mutation that has nothing to change.
var errUnchanged = errors.New("unchanged")

// reject removes a namespace that does not fit: it marks the namespace as rejected, so
// that no budget counts it any more, and deletes it. If another replica has made it
// ready meanwhile, for a repeated request, reject keeps and returns it. Otherwise
// reject returns cause, or why the rejection failed.
func (m *Manager) reject(ctx context.Context, ns *corev1.Namespace, cause error) (ready *corev1.Namespace, _ error) {
	marked, err := m.mutate(ctx, ns, func(now *corev1.Namespace) error {
		switch {
		case now.Annotations[v1alpha1.AnnotationReady] == "true":
			ready = now
			return errUnchanged
		case now.DeletionTimestamp != nil && now.ResourceVersion != ns.ResourceVersion: // it counts until it is deleted
			return errUnchanged
		}
		now.Annotations[v1alpha1.AnnotationRefused] = "true"
		return nil
	})
	switch {
	case ready != nil:
		return ready, nil
	case errors.Is(err, errUnchanged), errors.Is(err, ErrUID), apierrors.IsNotFound(err):
		return nil, cause
	case err != nil:
		return nil, fmt.Errorf("reject namespace %q: %w", ns.Name, err) // it counts until Reconcile finds it
	}
	if err := m.Discard(ctx, marked, cause); err != nil {
		m.Log.Warn("Deleting a rejected namespace failed; retrying", "namespace", ns.Name, "uid", ns.UID, "err", err)
	}
	return nil, cause
}

// cause returns the error to report for a namespace whose creation failed with err. If
// the namespace is being deleted, by hand or by a TTL shorter than the creation, it is
// a Conflict that says so, because err follows from the deletion.
func (m *Manager) cause(ctx context.Context, err error, ns *corev1.Namespace) error {
	if err != nil && m.deleting(ctx, ns) {
		return apierrors.NewConflict(groupResource, ns.Name, ErrDeleting)
	}
	return err
}

// deleting reports whether ns is being deleted or absent. The request's own deadline
// may have passed; there are some seconds until its handler gives up.
func (m *Manager) deleting(ctx context.Context, ns *corev1.Namespace) bool {
	if now := m.Cache.Get(ns.Name); now != nil && now.UID == ns.UID && now.DeletionTimestamp != nil {
		return true
	}
	ctx, cancel := detach(ctx, 4*time.Second)
	defer cancel()
	now, err := m.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{})
	return apierrors.IsNotFound(err) || err == nil && (now.UID != ns.UID || now.DeletionTimestamp != nil)
}

// rollBack deletes a namespace that cannot be completed. After a transient error it
// keeps the namespace: a repeated request, or Reconcile, resumes.
func (m *Manager) rollBack(ctx context.Context, ns *corev1.Namespace, cause error) {
	if !permanent(cause) {
		m.Log.Warn("Creation interrupted", "namespace", ns.Name, "uid", ns.UID, "err", cause)
		return
	}
	ctx, cancel := detach(ctx, 10*time.Second)
	defer cancel()
	// another replica may have completed it
	if err := m.Discard(ctx, ns, cause); err != nil && !apierrors.IsConflict(err) {
		m.Log.Error("Deleting an incomplete namespace failed; retrying later", "namespace", ns.Name, "uid", ns.UID,
			"err", err)
	}
}

// Discard deletes an incomplete namespace. Errors: Conflict if it has changed.
func (m *Manager) Discard(ctx context.Context, ns *corev1.Namespace, cause error) error {
	m.Log.Warn("Deleting an incomplete namespace", "namespace", ns.Name, "uid", ns.UID, "creator",
		ns.Annotations[v1alpha1.AnnotationCreator], "err", cause)
	if err := m.deleteExact(ctx, ns); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete incomplete namespace %q: %w", ns.Name, err)
	}
	return nil
}

// permanent reports whether repeating the same request must fail in the same way.
func permanent(err error) bool {
	var occupied *guardrails.OccupiedError
	return errors.As(err, &occupied) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) ||
		apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsRequestEntityTooLargeError(err)
}
