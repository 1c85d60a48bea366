// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"tenama.dev/tenama/api/v1alpha1"
)

var v1resource = v1alpha1.Resource.GroupResource()

// Tools that wait with kstatus (Flux, kustomize, cli-utils) must see the correct status
// at every moment: InProgress until the namespace is usable, then Current, and
// Terminating.
func TestKstatus(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	tns := dynamic.NewForConfigOrDie(shared.Config("alice")).Resource(v1alpha1.Resource)
	w, err := tns.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=tmp-kstatus"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if _, err := tns.Create(ctx, declared(t, "tmp-kstatus", 600), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := tns.Delete(ctx, "tmp-kstatus", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var seen []status.Status
	for e := range w.ResultChan() {
		u, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			t.Fatalf("%v", e.Object)
		}
		if e.Type == "DELETED" {
			break
		}
		r, err := status.Compute(u)
		if err != nil {
			t.Fatal(err)
		}
		phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
		if (phase == "Ready") != (r.Status == status.CurrentStatus) {
			t.Errorf("kstatus of phase %s is %s", phase, r.Status)
		}
		if seen = append(seen, r.Status); len(seen) > 1 && seen[len(seen)-2] == r.Status {
			seen = seen[:len(seen)-1]
		}
	}
	if want := []status.Status{
		status.InProgressStatus, status.CurrentStatus, status.TerminatingStatus,
	}; !slices.Equal(seen, want) {
		t.Errorf("seen %v, want %v", seen, want)
	}
}
