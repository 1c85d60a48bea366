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
	"k8s.io/apimachinery/pkg/fields"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// Since Kubernetes 1.33 the namespace controller deletes RoleBindings, ServiceAccounts
// and Secrets after the last pod (KEP-5080). A pod that cannot end, because its node is
// gone, a volume hangs or a controller is missing, would prolong the access of the
// owner, and of all who share the namespace, without limit.

// revokeRetry is the pause after an attempt for which the broker lacks the rights.
const revokeRetry = 10 * time.Minute

// Hanging returns how many deletions have taken longer than RevokeAfter.
func (m *Manager) Hanging() int {
	all := m.Cache.List()
	n := 0
	for _, ns := range all {
		if ns.DeletionTimestamp != nil && m.Now().After(ns.DeletionTimestamp.Add(m.RevokeAfter)) {
			n++
		}
	}
	return n
}

// revokeDue returns when the access to a namespace is revoked unless its deletion has
// finished by then; zero if the namespace is not being deleted, or the access was
// revoked.
func (m *Manager) revokeDue(ns *corev1.Namespace) time.Time {
	if ns.DeletionTimestamp == nil || ns.Annotations[v1alpha1.AnnotationAccessRevoked] != "" {
		return time.Time{}
	}
	return ns.DeletionTimestamp.Add(m.RevokeAfter)
}

// revoke deletes all RoleBindings but the broker's own, and all ServiceAccounts, in a
// namespace whose deletion hangs, and records the time. Nothing can be created in the
// namespace any more, so once is enough. The admission policy allows these deletions
// only in a namespace that is being deleted, and only for objects that are not younger
// than the deletion, so a stale cache cannot affect a new namespace of that name. It
// returns when to try again; zero is never.
func (m *Manager) revoke(ctx context.Context, ns *corev1.Namespace) (again time.Time, _ error) {
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	now, err := m.read(ctx, ns)
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, ErrUID):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("read namespace %q: %w", ns.Name, err)
	case m.revokeDue(now).IsZero():
		return time.Time{}, nil
	}
	err = m.deleteAccess(ctx, ns.Name)
	if apierrors.IsForbidden(err) && !guardrails.DeniedByPolicy(err) {
		// Before version 1.33 the namespace controller does not wait for pods: it has deleted
		// the bindings, the broker's own among them.
		return m.Now().Add(revokeRetry), nil
	}
	if err != nil {
		return time.Time{}, err
	}
	at := m.Now().UTC().Format(time.RFC3339)
	_, err = m.mutate(ctx, now, func(ns *corev1.Namespace) error {
		if ns.Annotations[v1alpha1.AnnotationAccessRevoked] != "" { // by another replica
			return errUnchanged
		}
		ns.Annotations[v1alpha1.AnnotationAccessRevoked] = at
		return nil
	})
	switch {
	case errors.Is(err, errUnchanged), errors.Is(err, ErrUID), apierrors.IsNotFound(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("record that the access to %q was revoked: %w", ns.Name, err)
	}
	m.Log.Warn("The deletion of a namespace takes too long; revoked all access to it", "namespace", ns.Name, "uid", ns.UID,
		"owner", ns.Annotations[v1alpha1.AnnotationOwner], "deletionTimestamp",
		ns.DeletionTimestamp.UTC().Format(time.RFC3339))
	return time.Time{}, nil
}

// deleteAccess deletes all RoleBindings but the broker's own, and all ServiceAccounts.
func (m *Manager) deleteAccess(ctx context.Context, ns string) error {
	others := metav1.ListOptions{FieldSelector: fields.OneTermNotEqualSelector("metadata.name",
		v1alpha1.RoleBindingBroker).String()}
	if err := m.Client.RbacV1().RoleBindings(ns).DeleteCollection(ctx, metav1.DeleteOptions{}, others); err != nil {
		return fmt.Errorf("delete the RoleBindings in %q: %w", ns, err)
	}
	if err := m.Client.CoreV1().ServiceAccounts(ns).DeleteCollection(ctx, metav1.DeleteOptions{},
		metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete the ServiceAccounts in %q: %w", ns, err)
	}
	return nil
}
