// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// TestLookUp verifies when a context's namespace counts as gone: a context that is removed too
// early belongs to a namespace that lives, and one that gets another UID to another one.
func TestLookUp(t *testing.T) {
	uid := func(uid string) *v1alpha1.TemporaryNamespace {
		tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{})
		tn.UID = types.UID(uid)
		return tn
	}
	namespace := func(labels map[string]string, uid types.UID) *corev1.Namespace {
		return &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: "tmp-a", UID: uid, Labels: labels}}
	}
	managed := map[string]string{v1alpha1.LabelManaged: "true"}
	forbidden := apierrors.NewForbidden(corev1.Resource("namespaces"), "tmp-a", nil)
	absent := apierrors.NewNotFound(corev1.Resource("namespaces"), "tmp-a")
	notServed := apierrors.NewGenericServerResponse(http.StatusNotFound, "get", v1alpha1.Resource.GroupResource(), "tmp-a",
		"404 page not found", 0, true)
	for name, c := range map[string]struct {
		tn, ns        any
		want, certain bool // it exists; this is known
	}{
		"it lives":                         {uid("1"), nil, true, true},
		"another one has its name":         {uid("2"), nil, true, false},
		"gone, and no right on namespaces": {notFound("tmp-a"), forbidden, false, true},
		"gone, as an administrator":        {notFound("tmp-a"), absent, false, true},
		"gone, and an ordinary namespace":  {notFound("tmp-a"), namespace(nil, "x"), false, true},
		"shared":                           {notFound("tmp-a"), namespace(managed, "x"), true, true},
		"forbidden":                        {forbidden, forbidden, false, false},
		"the API is not served":            {notServed, forbidden, false, false},
		"the broker is starting":           {apierrors.NewServiceUnavailable("starting"), forbidden, false, false},
		"gone, but namespaces time out":    {notFound("tmp-a"), apierrors.NewInternalError(errNoContext), false, false},
	} {
		cluster := fakeClient(t, func(r *http.Request) any {
			if strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/") {
				return c.ns
			}
			return c.tn
		})
		e := kubeconfig.Entry{Namespace: "tmp-a", UID: "1"}
		if name == "shared" {
			e.UID = string(v1alpha1.UIDOf("x"))
		}
		tn, err := lookUpEntry(t.Context(), cluster, e)
		if (err == nil) != c.certain || (tn != nil) != (c.want && c.certain) {
			t.Errorf("%s: got %v, %v", name, tn, err)
		}
	}
}
