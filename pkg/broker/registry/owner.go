// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

// maxOwners bounds the selector for all that a user owns; where they are in more
// groups, all is read and looked through.
const maxOwners = 100

// owned tells whether u owns ns: as the user who made it, or as a member of the
// group that owns it.
func owned(u user.Info, ns *corev1.Namespace) bool {
	if u == nil || u.GetName() == "" {
		return false
	}
	if g := ns.Annotations[v1alpha1.AnnotationOwnerGroup]; g != "" {
		return slices.Contains(u.GetGroups(), g)
	}
	return ns.Annotations[v1alpha1.AnnotationOwner] == u.GetName()
}

func owns(ctx context.Context, ns *corev1.Namespace) bool { return owned(userOf(ctx), ns) }

// hashes are the values of LabelOwner on what u owns.
func hashes(u user.Info) []string {
	if u == nil || u.GetName() == "" {
		return nil
	}
	out := []string{v1alpha1.OwnerHash(u.GetName())}
	for _, g := range u.GetGroups() {
		if !strings.HasPrefix(g, "system:") && g != "" { // which never own
			out = append(out, v1alpha1.GroupHash(g))
		}
	}
	return out
}

// binds tells whether the owner of ns gets a RoleBinding: a user of the system
// other than a ServiceAccount never does.
func binds(ns *corev1.Namespace) bool {
	owner := ns.Annotations[v1alpha1.AnnotationOwner]
	return ns.Annotations[v1alpha1.AnnotationOwnerGroup] != "" || bindsUser(owner)
}

func bindsUser(owner string) bool {
	return !strings.HasPrefix(owner, "system:") || strings.HasPrefix(owner, serviceaccount.ServiceAccountUsernamePrefix)
}

// subjectOf is who is given access to ns.
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

// called is the owner as objects of a class may name it: the group, or the user.
func called(ns *corev1.Namespace) string {
	if g := ns.Annotations[v1alpha1.AnnotationOwnerGroup]; g != "" {
		return g
	}
	return ns.Annotations[v1alpha1.AnnotationOwner]
}

// assume is the owner as far as the Namespace tells: enough to ask what the
// RoleBinding gives.
func assume(ns *corev1.Namespace) user.Info {
	owner := ns.Annotations[v1alpha1.AnnotationOwner]
	if g := ns.Annotations[v1alpha1.AnnotationOwnerGroup]; g != "" {
		return &user.DefaultInfo{Name: owner, Groups: []string{g, user.AllAuthenticated}}
	}
	if namespace, name, err := serviceaccount.SplitUsername(owner); err == nil {
		return serviceaccount.UserInfo(namespace, name, "")
	}
	return &user.DefaultInfo{Name: owner, Groups: []string{user.AllAuthenticated}}
}
