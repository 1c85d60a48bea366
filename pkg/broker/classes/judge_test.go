// SPDX-License-Identifier: Apache-2.0

package classes

import (
	"log/slog"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// A kube-apiserver that has just started forbids everything. Users must not be told that
// their class cannot be used.
func TestRefusesOnlyWhatIsKnown(t *testing.T) {
	forbidden := apierrors.NewForbidden(rbacv1.Resource("rolebindings"), "", nil)
	for name, c := range map[string]struct {
		bind, review error
		mayBind      bool
		want         string
	}{
		"it can be bound":                          {nil, nil, true, ""},
		"RBAC forbids this role":                   {forbidden, nil, true, "tenama:broker"},
		"RBAC forbids everything":                  {forbidden, nil, false, ""},
		"RBAC forbids everything, the review, too": {forbidden, forbidden, false, ""},
		"no answer":                                {apierrors.NewServiceUnavailable("busy"), nil, true, ""},
	} {
		client := fake.NewClientset()
		client.PrependReactor("create", "rolebindings", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, &rbacv1.RoleBinding{}, c.bind
		})
		client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
			r := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
			if r.Spec.User != "the-broker" || r.Spec.ResourceAttributes.Resource != "rolebindings" {
				t.Errorf("%s: asked about %+v", name, r.Spec)
			}
			r.Status.Allowed = c.mayBind
			return true, r, c.review
		})
		s := &Store{client: client, user: "the-broker", bindable: map[string]review{}, log: slog.New(slog.DiscardHandler)}
		if got := s.refuses(t.Context(), "admin"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
