// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tenama.dev/tenama/api/v1alpha1"
)

type noHandler struct{}

func (noHandler) OnList([]*corev1.Namespace) {}
func (noHandler) OnUpdate(*corev1.Namespace) {}
func (noHandler) OnDelete(*corev1.Namespace) {}

// If the cache kept what users write, they would decide how much memory both replicas need.
func TestCacheHoldsNothingOfUsers(t *testing.T) {
	big := strings.Repeat("x", 8<<10)
	sample := func(name string) *corev1.Namespace {
		return &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, UID: "1", ResourceVersion: "1", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: big}},
				Labels: map[string]string{v1alpha1.LabelManaged: "true", v1alpha1.LabelOwner: "alice", "user.tenama.dev/l": big},
				Annotations: map[string]string{
					v1alpha1.AnnotationObject: big, v1alpha1.AnnotationReason: big, "user.tenama.dev/a": big,
					v1alpha1.AnnotationOwner: "alice", v1alpha1.AnnotationTTL: "60",
				},
			},
			Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{
				{Type: corev1.NamespaceContentRemaining, Message: big},
				{Type: corev1.NamespaceFinalizersRemaining, Message: "has finalizers: " + big},
			}},
		}
	}
	client := fake.NewClientset(sample("tmp-listed"))
	c := New(client, noHandler{})
	seen := make(chan string, 2)
	if err := c.Start(t.Context(), func(ns *corev1.Namespace) { seen <- ns.Name }); err != nil {
		t.Fatal(err)
	}
	_, err := client.CoreV1().Namespaces().Create(t.Context(), sample("tmp-watched"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-seen:
		case <-time.After(time.Minute):
			t.Fatal("an event is missing")
		}
	}
	for _, name := range []string{"tmp-listed", "tmp-watched"} {
		ns := c.Get(name)
		if ns == nil {
			t.Fatalf("%s is missing", name)
		}
		if ns.Annotations[v1alpha1.AnnotationOwner] != "alice" || ns.Annotations[v1alpha1.AnnotationTTL] != "60" {
			t.Errorf("%s lacks what the broker decides by: %v", name, ns.Annotations)
		}
		if size := ns.Size(); size > 2<<10 {
			t.Errorf("%s takes %d bytes", name, size)
		}
		if !IsReduced(ns) {
			t.Errorf("%s seems to be whole, and could be written", name)
		}
	}
	if s := c.Size("alice"); s.Count != 2 || s.Total <= s.Largest || s.Largest < 6*len(big) {
		t.Errorf("the size is %+v", s)
	}
	if s := c.Size("bob"); s != (Size{}) {
		t.Errorf("the size of nothing is %+v", s)
	}
}
