// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/pkg/broker/nscache"
)

// mutate writes a change of exactly the namespace that was seen, which may come from the
// cache. On a Conflict it reads the namespace again and repeats, until ctx is done. Errors:
// ErrUID if the name is another namespace's now, those of change, and those of
// kube-apiserver.
func (m *Manager) mutate(ctx context.Context, ns *corev1.Namespace,
	change func(*corev1.Namespace) error) (*corev1.Namespace, error) {
	var err error
	for reread := nscache.IsReduced(ns); ; reread = true {
		if reread {
			if ns, err = m.read(ctx, ns); err != nil {
				return nil, err
			}
		}
		next := ns.DeepCopy()
		if err := change(next); err != nil {
			return nil, err
		}
		out, err := m.Client.CoreV1().Namespaces().Update(ctx, next, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return out, err
		}
	}
}

// read returns a namespace of the cache as kube-apiserver has it. Errors: ErrUID if the
// name is another namespace's now, NotFound, and the others of kube-apiserver.
func (m *Manager) read(ctx context.Context, ns *corev1.Namespace) (*corev1.Namespace, error) {
	now, err := m.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{})
	if err == nil && now.UID != ns.UID {
		return nil, ErrUID
	}
	return now, err
}

// deleteExact deletes the version of a namespace that was seen. Errors: NotFound,
// Conflict if it has changed since.
func (m *Manager) deleteExact(ctx context.Context, ns *corev1.Namespace) error {
	return m.Client.CoreV1().Namespaces().Delete(ctx, ns.Name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}})
}
