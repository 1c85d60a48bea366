// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

// A wrong subject would give another user access to the namespace, or the owner none: a
// ServiceAccount that is bound by its user name has no access, and a member of the
// owning group must not lose it because another member created the namespace.
func TestSubject(t *testing.T) {
	const account = "system:serviceaccount:ci:deployer"
	for name, c := range map[string]struct {
		owner, group string
		binds        bool
		subject      rbacv1.Subject
		groups       []string // of the user that access reviews ask about
	}{
		"a user": {"alice", "", true,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "alice"}, []string{user.AllAuthenticated}},
		"a user with a colon": {"oidc:alice", "", true,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "oidc:alice"}, []string{user.AllAuthenticated}},
		"a ServiceAccount": {account, "", true,
			rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ci", Name: "deployer"},
			[]string{"system:serviceaccounts", "system:serviceaccounts:ci"}},
		"a group": {"alice", "devs", true,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "devs"}, []string{"devs", user.AllAuthenticated}},
		"a group, created by a ServiceAccount": {account, "devs", true,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "devs"}, []string{"devs", user.AllAuthenticated}},
		"a group, created by a system user": {"system:admin", "devs", true,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "devs"}, []string{"devs", user.AllAuthenticated}},
		"a system user": {"system:admin", "", false,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "system:admin"}, []string{user.AllAuthenticated}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := sampleNamespace(func(ns *corev1.Namespace) {
				ns.Annotations[v1alpha1.AnnotationOwner] = c.owner
				if c.group != "" {
					ns.Annotations[v1alpha1.AnnotationOwnerGroup] = c.group
				}
			})
			if got := bindsOwner(ns); got != c.binds {
				t.Errorf("bindsOwner returns %t, want %t", got, c.binds)
			}
			if diff := cmp.Diff(c.subject, subjectOf(ns)); diff != "" {
				t.Errorf("subject (-want +got):\n%s", diff)
			}
			info := ownerInfo(ns)
			if info.GetName() != c.owner {
				t.Errorf("the access review asks about %q, want %q", info.GetName(), c.owner)
			}
			if diff := cmp.Diff(c.groups, info.GetGroups()); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
}
