// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

// Binds reports whether a user can be given access by a RoleBinding: no user of
// the system is but a ServiceAccount.
func Binds(username string) bool {
	return !strings.HasPrefix(username, "system:") ||
		strings.HasPrefix(username, serviceaccount.ServiceAccountUsernamePrefix)
}

// bindsOwner reports whether the owner of ns gets a RoleBinding.
func bindsOwner(ns *corev1.Namespace) bool {
	return ns.Annotations[v1alpha1.AnnotationOwnerGroup] != "" || Binds(ns.Annotations[v1alpha1.AnnotationOwner])
}

// subjectOf returns the subject of the owner's RoleBinding.
func subjectOf(ns *corev1.Namespace) rbacv1.Subject {
	owner := ns.Annotations[v1alpha1.AnnotationOwner]
	if g := ns.Annotations[v1alpha1.AnnotationOwnerGroup]; g != "" {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: g}
	}
	if namespace, name, err := serviceaccount.SplitUsername(owner); err == nil {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: owner}
}

// ownerInfo returns the owner as the annotations of the Namespace record it. That is
// enough for access reviews of the RoleBinding.
func ownerInfo(ns *corev1.Namespace) user.Info {
	owner := ns.Annotations[v1alpha1.AnnotationOwner]
	if g := ns.Annotations[v1alpha1.AnnotationOwnerGroup]; g != "" {
		return &user.DefaultInfo{Name: owner, Groups: []string{g, user.AllAuthenticated}}
	}
	if namespace, name, err := serviceaccount.SplitUsername(owner); err == nil {
		return serviceaccount.UserInfo(namespace, name, "")
	}
	return &user.DefaultInfo{Name: owner, Groups: []string{user.AllAuthenticated}}
}
