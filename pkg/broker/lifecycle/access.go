// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tenama.dev/tenama/api/v1alpha1"
)

// probedRights is a right that each built-in role for owners contains. Roles of an
// administrator's own may contain none of them.
var probedRights = map[string]authorizationv1.ResourceAttributes{
	"admin": {Verb: "create", Resource: "configmaps"},
	"edit":  {Verb: "create", Resource: "configmaps"},
	"view":  {Verb: "get", Resource: "pods"},
}

// inspectAccess records whether the owner of a namespace has access to it. The broker has
// no right to read the owner's binding, and does not restore it: an administrator removes
// it to lock the owner out, or restored the namespace from a backup without it.
func (m *Manager) inspectAccess(ctx context.Context, ns *corev1.Namespace) error {
	right, known := probedRights[ns.Annotations[v1alpha1.AnnotationOwnerRole]]
	if !known || !bindsOwner(ns) || !v1alpha1.IsReady(ns) {
		return nil
	}
	right.Namespace = ns.Name
	has, err := m.Allowed(ctx, ownerInfo(ns), right)
	if err != nil || has == (ns.Annotations[v1alpha1.AnnotationOwnerAccess] == "") {
		return err
	}
	_, err = m.mutate(ctx, ns, func(ns *corev1.Namespace) error {
		if has {
			delete(ns.Annotations, v1alpha1.AnnotationOwnerAccess)
		} else {
			ns.Annotations[v1alpha1.AnnotationOwnerAccess] = v1alpha1.OwnerAccessMissing
		}
		return nil
	})
	if errors.Is(err, ErrUID) || apierrors.IsNotFound(err) { // it was deleted
		return nil
	}
	if err == nil {
		m.Log.Info("The access of an owner has changed", "namespace", ns.Name, "uid", ns.UID, "owner",
			ns.Annotations[v1alpha1.AnnotationOwner], "hasAccess", has)
	}
	return err
}
