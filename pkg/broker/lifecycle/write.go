// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mutate writes a change of exactly the namespace that was seen. On a Conflict it
// reads the namespace again and repeats, until ctx is done. Errors: ErrUID if the
// name is another namespace's now, those of change, and those of kube-apiserver.
func (m *Manager) mutate(ctx context.Context, ns *corev1.Namespace,
	change func(*corev1.Namespace) error) (*corev1.Namespace, error) {
	namespaces := m.Client.CoreV1().Namespaces()
	for {
		next := ns.DeepCopy()
		if err := change(next); err != nil {
			return nil, err
		}
		out, err := namespaces.Update(ctx, next, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return out, err
		}
		now, err := namespaces.Get(ctx, ns.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if now.UID != ns.UID {
			return nil, ErrUID
		}
		ns = now
	}
}

// deleteExact deletes the version of a namespace that was seen. Errors: NotFound,
// Conflict if it has changed since.
func (m *Manager) deleteExact(ctx context.Context, ns *corev1.Namespace) error {
	return m.Client.CoreV1().Namespaces().Delete(ctx, ns.Name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}})
}
