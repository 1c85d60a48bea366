// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"errors"
	"log/slog"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/nscache"
)

// full is an Admission whose budgets another replica filled first.
type full struct{ err error }

func (f full) ReserveIncrease(*corev1.Namespace) (func(), error) { return func() {}, nil }
func (f full) Admitted(*corev1.Namespace) error                  { return f.err }

// A namespace that was written and does not fit is deleted again. The user must learn
// that a budget is full: "it is being deleted" would not say what to do, and the queue
// takes only Forbidden back.
func TestProvisionAnswersWithTheBudget(t *testing.T) {
	for name, c := range map[string]struct {
		adopted bool
		reason  metav1.StatusReason
		deleted bool
	}{
		"by the request that created it": {false, metav1.StatusReasonForbidden, true},
		"by a repeated request":          {true, metav1.StatusReasonServerTimeout, false},
	} {
		t.Run(name, func(t *testing.T) {
			ns := sampleNamespace(func(ns *corev1.Namespace) { delete(ns.Annotations, v1alpha1.AnnotationReady) })
			client := fake.NewClientset(ns)
			cache := nscache.New(client, noHandler{})
			if err := cache.Start(t.Context(), func(*corev1.Namespace) {}); err != nil {
				t.Fatal(err)
			}
			m := &Manager{
				Client: client, Cache: cache, Log: slog.New(slog.DiscardHandler), Contained: func() error { return nil },
				Admission: full{apierrors.NewForbidden(groupResource, ns.Name, errors.New("budget is full"))},
			}
			_, err := m.Provision(t.Context(), Request{Namespace: cache.Get(ns.Name), Adopted: c.adopted})
			if got := apierrors.ReasonForError(err); got != c.reason {
				t.Errorf("the answer is %s (%v), want %s", got, err, c.reason)
			}
			_, err = client.CoreV1().Namespaces().Get(t.Context(), ns.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) != c.deleted {
				t.Errorf("afterwards: %v, want it deleted: %t", err, c.deleted)
			}
		})
	}
}
