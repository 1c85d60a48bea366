// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Who may not create RoleBindings must learn that the class is the reason, and not that some
// other request was denied.
func TestRoleError(t *testing.T) {
	bindings := rbacv1.Resource("rolebindings")
	for name, row := range map[string]struct {
		err  error
		want string
		code int
	}{
		"a class whose owners have the role edit": {apierrors.NewForbidden(bindings, "", errors.New("User cannot create")),
			`cannot grant role "edit" in namespace "tmp-a": your own role there may not create RoleBindings`, exitDenied},
		"more than the caller has": {apierrors.NewForbidden(bindings, "x", errors.New("user is attempting to grant RBAC")),
			`cannot grant role "edit" in namespace "tmp-a": it exceeds your own permissions`, exitDenied},
		"another resource": {apierrors.NewForbidden(rbacv1.Resource("roles"), "x", errors.New("no")),
			`roles.rbac.authorization.k8s.io "x" is forbidden: no`, 0},
		"another reason": {apierrors.NewConflict(bindings, "x", errors.New("changed")),
			`Operation cannot be fulfilled on rolebindings.rbac.authorization.k8s.io "x": changed`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			err := roleError(row.err, "edit", "tmp-a")
			if err.Error() != row.want {
				t.Errorf("got %q, want %q", err, row.want)
			}
			var f *failure
			if errors.As(err, &f) != (row.code != 0) || f != nil && f.code != row.code {
				t.Errorf("the failure is %+v", f)
			}
		})
	}
}
