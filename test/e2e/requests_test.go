// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// If several clients apply the same new name at once, each with its own fields, one
// must create it, and the fields of the others must not be lost.
func TestTwoAppliers(t *testing.T) {
	alice := user(t, "alice")
	for round := range 8 {
		name := unique("appliers")
		var wg sync.WaitGroup
		for _, manager := range []string{"one", "two", "three"} {
			wg.Go(func() {
				tn := tns(name, time.Hour)
				tn.Labels = map[string]string{manager: "here"}
				if _, err := alice.Apply(t.Context(), tn, metav1.ApplyOptions{FieldManager: manager}); err != nil {
					t.Errorf("round %d: %s: %v", round, manager, err)
				}
			})
		}
		wg.Wait()
		now, err := alice.Get(t.Context(), name)
		if err != nil || len(now.Labels) != 3 || len(now.ManagedFields) != 3 {
			t.Errorf("round %d: %v, %d managers, %v", round, now.Labels, len(now.ManagedFields), err)
		}
		_, _ = alice.Delete(t.Context(), name, metav1.DeleteOptions{})
	}
}

// Without a request ID no two requests are the same: one of them must create the
// namespace, and the others must be refused. With an ID, a retry must get the same
// namespace.
func TestConcurrentCreates(t *testing.T) {
	alice := user(t, "alice")
	name := unique("many")
	made := make(chan bool, 5)
	for i := range cap(made) {
		go func() {
			tn := tns(name, time.Hour)
			tn.Labels = map[string]string{"i": fmt.Sprint(i)}
			_, err := alice.Create(t.Context(), tn, metav1.CreateOptions{})
			if err != nil && reason(err) != metav1.StatusReasonAlreadyExists {
				t.Errorf("request %d: %v", i, err)
			}
			made <- err == nil
		}()
	}
	successes := 0
	for range cap(made) {
		if <-made {
			successes++
		}
	}
	if successes != 1 {
		t.Errorf("%d of %d requests were told that they created it", successes, cap(made))
	}
	_, _ = alice.Delete(t.Context(), name, metav1.DeleteOptions{})

	tn := tns(unique("id"), time.Hour)
	tn.Annotations, tn.Labels = map[string]string{v1alpha1.AnnotationRequestID: "r1"}, map[string]string{"a": "b"}
	first, err := alice.Create(t.Context(), tn.DeepCopy(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = alice.Delete(context.Background(), tn.Name, metav1.DeleteOptions{}) }()
	if _, err := alice.Patch(t.Context(), tn.Name, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"a":"c"}},"spec":{"ttlSeconds":7200}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []metav1.CreateOptions{{}, {DryRun: []string{metav1.DryRunAll}}} {
		if again, err := alice.Create(t.Context(), tn.DeepCopy(), o); err != nil || again.UID != first.UID {
			t.Errorf("the same request repeated after a change (%v): %v, %v", o.DryRun, again, err)
		}
	}
	for what, change := range map[string]func(*v1alpha1.TemporaryNamespace){
		"another label":  func(tn *v1alpha1.TemporaryNamespace) { tn.Labels["a"] = "c" },
		"another reason": func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.Reason = "x" },
		"another TTL":    func(tn *v1alpha1.TemporaryNamespace) { *tn.Spec.TTLSeconds = 7200 },
	} {
		other := tn.DeepCopy()
		change(other)
		if _, err := alice.Create(t.Context(), other, metav1.CreateOptions{}); reason(err) != metav1.StatusReasonConflict {
			t.Errorf("%s under the same id: %v, want Conflict", what, err)
		}
	}
}

// Small requests that expand to large objects must not exhaust the broker's memory.
func TestRequestBodyExpansion(t *testing.T) {
	alice := user(t, "alice")
	tn := borrow(t, alice, unique("grow"), time.Hour)
	resident := func() (kb int) {
		t.Helper()
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", shared.broker.PID()))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "VmHWM:")
		fmt.Sscan(rest, &kb)
		return kb
	}
	ops := make([]string, 24)
	for i := range ops {
		ops[i] = fmt.Sprintf(`{"op":"copy","from":"/spec","path":"/spec/x%d"}`, i)
	}
	before := resident()
	for what, p := range map[string]struct {
		kind types.PatchType
		body string
		want metav1.StatusReason
	}{
		"nested copies": {types.JSONPatchType, "[" + strings.Join(ops, ",") + "]", metav1.StatusReasonInvalid},
		"nested objects": {
			types.MergePatchType, `{"spec":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9001),
			metav1.StatusReasonBadRequest,
		},
		"nested objects in YAML": {
			types.ApplyPatchType, "spec: " + strings.Repeat("{a: ", 9000) + "1" + strings.Repeat("}", 9000),
			metav1.StatusReasonBadRequest,
		},
		"nested aliases": {
			types.ApplyPatchType,
			"a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d " +
				"[*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n",
			metav1.StatusReasonBadRequest,
		},
	} {
		begun := time.Now()
		_, err := alice.Patch(t.Context(), tn.Name, p.kind, []byte(p.body),
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if reason(err) != p.want {
			t.Errorf("%s: %v (%s), want %s", what, err, time.Since(begun), p.want)
		}
	}
	if after := resident(); after > before+40<<10 {
		t.Errorf("the broker's memory went from %d to %d KiB", before, after)
	}
}

// Users must be able to extend a namespace whose annotations are full.
func TestFullAnnotations(t *testing.T) {
	alice := user(t, "alice")
	tn := tns(unique("full"), time.Hour)
	tn.Annotations = map[string]string{"a": strings.Repeat("x", 8000)}
	if _, err := alice.Create(t.Context(), tn, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = alice.Delete(context.Background(), tn.Name, metav1.DeleteOptions{}) }()
	if _, _, err := alice.Extend(t.Context(), tn.Name, func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		return now.Add(3 * time.Hour)
	}, "", metav1.PatchOptions{}); err != nil {
		t.Errorf("extend: %v", err)
	}
	more := []byte(`{"metadata":{"annotations":{"b":"` + strings.Repeat("x", 400) + `"}}}`)
	if _, err := alice.Patch(t.Context(), tn.Name, types.MergePatchType, more,
		metav1.PatchOptions{}); reason(err) != metav1.StatusReasonRequestEntityTooLarge {
		t.Errorf("more annotations: %v, want a rejection", err)
	}
	// A time with a fraction is stored in seconds, and the second write changes
	// nothing.
	until := time.Now().Add(5*time.Hour).UTC().Format("2006-01-02T15:04:05") + ".5Z"
	var generations []int64
	for range 2 {
		now, err := alice.Patch(t.Context(), tn.Name, types.MergePatchType, []byte(`{"spec":{"extendUntil":"`+until+`"}}`),
			metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		generations = append(generations, now.Generation)
	}
	if generations[0] != generations[1] {
		t.Errorf("generations %v for one change", generations)
	}
}
