// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"fmt"
	"runtime"
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
	if s := c.Size("alice"); s.Count != 2 || s.Total < 6*len(big) {
		t.Errorf("the size is %+v", s)
	}
	if s := c.Size("bob"); s != (Size{}) {
		t.Errorf("the size of nothing is %+v", s)
	}
}

// A map keeps the room of what is deleted from it: many small annotations must not cost more
// than a few large ones.
func TestManyAnnotations(t *testing.T) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationTTL: "60"}}}
	for i := range 400 {
		ns.Annotations[fmt.Sprintf("user.tenama.dev/%d", i)] = "x"
	}
	const n = 1000
	kept := make([]*entry, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i] = reduce(ns)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int(after.HeapAlloc) - int(before.HeapAlloc)) / n; each > 4<<10 {
		t.Errorf("each takes %d bytes", each)
	}
	runtime.KeepAlive(kept)
}

// A page may hold only as many namespaces as fit into it, and a large one must not make all
// other pages small.
func TestFit(t *testing.T) {
	c := newCache(noHandler{})
	for name, bytes := range map[string]int{"a": 10, "b": 10, "c": 10, "d": 1000, "e": 10, "f": 10} {
		e := &entry{bytes: bytes}
		owner := "bob"
		if name < "c" {
			owner = "alice"
		}
		e.Name, e.Labels = name, map[string]string{v1alpha1.LabelOwner: owner}
		if err := c.indexer.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		from, owner string
		want        int
	}{{"", "", 3}, {"b", "", 2}, {"d", "", 1}, {"d\x00", "", 10}, {"", "alice", 10}, {"", "bob", 1}, {"z", "", 10}} {
		var owners []string
		if x.owner != "" {
			owners = []string{x.owner}
		}
		if got := c.Fit(100, 10, x.from, owners...); got != x.want {
			t.Errorf("from %q, of %q: %d, want %d", x.from, x.owner, got, x.want)
		}
	}
}
