// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// labelShared marks the RoleBindings by which an owner shares a namespace.
const labelShared = "tenama.dev/shared"

// Share is a subject that a namespace is shared with, and its ClusterRole.
type Share struct {
	Subject rbacv1.Subject
	Role    string
	binding string
}

// Share grants a subject a ClusterRole in a namespace, by a RoleBinding created with
// the caller's own permissions, and removes any other role that Share granted to the
// subject there. It reports whether it created the RoleBinding. Reasons: Forbidden (the
// role has permissions that the caller lacks, or a policy excludes the subject),
// NotFound.
func (c *Client) Share(ctx context.Context, ns string, s rbacv1.Subject, role string) (bool, error) {
	name := "tenama-share-" + shortHash(role+"\x00"+s.Kind+"\x00"+s.Namespace+"\x00"+s.Name)
	created, err := c.bind(ctx, ns, name, role, s, map[string]string{labelShared: "true"})
	if err != nil {
		return false, err
	}
	shares, err := c.Shares(ctx, ns)
	if err != nil {
		return created, err
	}
	for _, other := range shares {
		if other.Subject == s && other.Role != role {
			if err := c.Unshare(ctx, ns, other); err != nil {
				return created, err
			}
		}
	}
	return created, nil
}

// Unshare revokes a role that Share granted. Reasons: Forbidden.
func (c *Client) Unshare(ctx context.Context, ns string, s Share) error {
	err := c.rest.Delete().AbsPath(bindings(ns), s.binding).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Shares returns the subjects that a namespace is shared with by Share. Reasons:
// Forbidden.
func (c *Client) Shares(ctx context.Context, ns string) ([]Share, error) {
	list := &rbacv1.RoleBindingList{}
	err := c.rest.Get().AbsPath(bindings(ns)).Param("labelSelector", labelShared+"=true").Do(ctx).Into(list)
	if err != nil {
		return nil, err
	}
	var out []Share
	for i := range list.Items {
		for _, s := range list.Items[i].Subjects {
			out = append(out, Share{s, list.Items[i].RoleRef.Name, list.Items[i].Name})
		}
	}
	return out, nil
}

// Shared returns the part of a temporary namespace that is visible to the users it is
// shared with: name, UID, class, owner and expiry, as read from its Namespace. Reasons:
// NotFound, Forbidden (the namespace is not shared with the caller, or does not exist).
func (c *Client) Shared(ctx context.Context, name string) (*v1alpha1.TemporaryNamespace, error) {
	ns := &corev1.Namespace{}
	if err := c.rest.Get().AbsPath("/api/v1/namespaces", name).Do(ctx).Into(ns); err != nil {
		return nil, err
	}
	if ns.Labels[v1alpha1.LabelManaged] != "true" {
		return nil, apierrors.NewForbidden(corev1.Resource("namespaces"), name, errors.New("not a temporary namespace"))
	}
	tn := &v1alpha1.TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{
			Name: ns.Name, UID: v1alpha1.UIDOf(ns.UID),
			CreationTimestamp: ns.CreationTimestamp, DeletionTimestamp: ns.DeletionTimestamp,
		},
		Spec: v1alpha1.TemporaryNamespaceSpec{
			ClassName: ns.Labels[v1alpha1.LabelClass], Reason: ns.Annotations[v1alpha1.AnnotationReason],
		},
		Status: v1alpha1.TemporaryNamespaceStatus{
			Owner: ns.Annotations[v1alpha1.AnnotationOwner], OwnerGroup: ns.Annotations[v1alpha1.AnnotationOwnerGroup],
		},
	}
	if life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err == nil {
		tn.Status.Lifetime = life.Type
		if at := life.Expiry(ns.CreationTimestamp.Time); !at.IsZero() {
			tn.Status.ExpirationTimestamp = &metav1.Time{Time: at}
		}
	}
	return tn, verifyName(tn, name, nil)
}
