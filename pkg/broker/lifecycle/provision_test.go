// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tenama.dev/tenama/api/v1alpha1"
)

// A create that answers before the owner has access makes the owner's first command
// fail. One that waits forever for the rights of a role which lacks them never answers.
func TestAwaitAccess(t *testing.T) {
	for name, c := range map[string]struct {
		role    string
		granted time.Duration // zero: at once; negative: never
		took    time.Duration
		fails   bool
	}{
		"admin, at once":               {"admin", 0, 0, false},
		"admin, after 5 s":             {"admin", 5 * time.Second, 5 * time.Second, false},
		"admin, never":                 {"admin", -1, 20 * time.Second, true},
		"a role of its own, after 2 s": {"viewer", 2 * time.Second, 2 * time.Second, false},
		"a role without these rights":  {"viewer", -1, accessLag, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				client := fake.NewClientset()
				client.PrependReactor("create", "subjectaccessreviews",
					func(a clienttesting.Action) (bool, runtime.Object, error) {
						r := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
						if r.Spec.User != "alice" || r.Spec.ResourceAttributes.Namespace != "tmp-a" {
							t.Errorf("asked about %+v", r.Spec)
						}
						r.Status.Allowed = c.granted >= 0 && time.Since(begun) >= c.granted
						return true, r, nil
					})
				m := &Manager{Client: client, Log: slog.New(slog.DiscardHandler)}
				ctx, cancel := detach(t.Context(), 20*time.Second)
				defer cancel()
				err := m.awaitAccess(ctx, "tmp-a", c.role, &user.DefaultInfo{Name: "alice"})
				if (err != nil) != c.fails {
					t.Errorf("got %v, want an error: %t", err, c.fails)
				}
				if took := time.Since(begun); took < c.took || took > c.took+time.Second {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}

// kube-apiserver accepts a write to a namespace that is being deleted. An answer of
// success would give the owner a namespace that is about to disappear. So would the
// mark on a namespace that another replica has rejected.
func TestMarkReady(t *testing.T) {
	now := metav1.Now()
	for name, c := range map[string]struct {
		seen, answer func(*corev1.Namespace)
		want         func(error) bool
	}{
		"being deleted": {func(*corev1.Namespace) {}, func(ns *corev1.Namespace) { ns.DeletionTimestamp = &now },
			apierrors.IsConflict},
		"rejected": {func(ns *corev1.Namespace) { ns.Annotations[v1alpha1.AnnotationRefused] = "true" },
			func(*corev1.Namespace) { t.Error("a rejected namespace is marked as ready") }, apierrors.IsServerTimeout},
	} {
		ns := sampleNamespace(c.seen)
		client := fake.NewClientset(ns)
		client.PrependReactor("update", "namespaces", func(a clienttesting.Action) (bool, runtime.Object, error) {
			ns := a.(clienttesting.UpdateAction).GetObject().(*corev1.Namespace).DeepCopy()
			c.answer(ns)
			return true, ns, nil
		})
		if _, err := (&Manager{Client: client}).markReady(t.Context(), ns); !c.want(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
