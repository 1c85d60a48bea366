// SPDX-License-Identifier: Apache-2.0

package policystore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// server answers with two nodes, which stand for the objects of the policy group, and
// with code for a write of a status.
func server(t *testing.T, code *atomic.Int32) rest.Interface {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodPut:
			if !strings.HasSuffix(r.URL.Path, "/nodes/a/status") {
				t.Errorf("PUT %s", r.URL.Path)
			}
			w.WriteHeader(int(code.Load()))
			if code.Load() == http.StatusOK {
				_ = json.NewEncoder(w).Encode(node("a"))
				return
			}
			reason := map[int32]metav1.StatusReason{409: metav1.StatusReasonConflict, 404: metav1.StatusReasonNotFound}
			_ = json.NewEncoder(w).Encode(failure(code.Load(), reason[code.Load()]))
		case r.URL.Query().Get("sendInitialEvents") != "": // as kube-apiserver without WatchList: the reflector lists
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(failure(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid))
		case r.URL.Query().Get("watch") != "":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			_ = json.NewEncoder(w).Encode(corev1.NodeList{
				TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"},
				ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []corev1.Node{*node("b"), *node("a")},
			})
		}
	}))
	t.Cleanup(s.Close)
	c, err := rest.RESTClientFor(&rest.Config{Host: s.URL, APIPath: "/api", ContentConfig: rest.ContentConfig{
		GroupVersion: &corev1.SchemeGroupVersion, NegotiatedSerializer: scheme.Codecs.WithoutConversion(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func failure(code int32, reason metav1.StatusReason) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason,
	}
}

func node(name string) *corev1.Node {
	return &corev1.Node{
		TypeMeta:   metav1.TypeMeta{Kind: "Node", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "5"},
	}
}

// A broker that starts must know every class and budget, in a fixed order, and must not
// take a lost race for an error, nor an error for a lost race.
func TestStore(t *testing.T) {
	var code, created atomic.Int32
	s, err := New(server(t, &code), "nodes", func(old, now *corev1.Node) {
		if old == nil && now != nil {
			created.Add(1)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range s.List() {
		names = append(names, n.Name)
	}
	if fmt.Sprint(names) != "[a b]" {
		t.Errorf("List returns %v, want a, b", names)
	}
	if s.Get("b") == nil || s.Get("c") != nil {
		t.Errorf("Get returns %v for b, and %v for c", s.Get("b"), s.Get("c"))
	}
	for end := time.Now().Add(time.Minute); created.Load() != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("onChange was called for %d new objects, want 2", created.Load())
		}
	}
	for answer, want := range map[int32]struct{ written, failed bool }{
		200: {true, false}, 409: {false, false}, 404: {false, false}, 500: {false, true},
	} {
		code.Store(answer)
		if written, err := s.UpdateStatus(t.Context(), s.Get("a")); written != want.written || (err != nil) != want.failed {
			t.Errorf("after %d: written %t, %v", answer, written, err)
		}
	}
}

// A watch that was interrupted may have missed the deletion of an object, and know no
// last state of it: that must not end the broker.
func TestDeletionOfUnknownState(t *testing.T) {
	for name, o := range map[string]any{
		"last state known":   cache.DeletedFinalStateUnknown{Key: "a", Obj: node("a")},
		"last state missing": cache.DeletedFinalStateUnknown{Key: "a"},
		"deleted":            node("a"),
	} {
		t.Run(name, func(t *testing.T) {
			called := false
			handler(func(_, now *corev1.Node) { called = now == nil }).OnDelete(o)
			if !called {
				t.Error("onChange was not called")
			}
		})
	}
}
