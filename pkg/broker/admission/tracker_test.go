// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"
	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// create performs all steps of a creation without interference.
func create(t *testing.T, tracker *Tracker, ns *corev1.Namespace) error {
	t.Helper()
	release, err := tracker.Reserve(t.Context(), ns)
	if err != nil {
		return err
	}
	defer release()
	there := made(ns, "uid-"+ns.Name)
	tracker.OnUpdate(there)
	return tracker.Admitted(there)
}

func cause(err error) metav1.CauseType {
	var status apierrors.APIStatus
	if s, ok := err.(apierrors.APIStatus); ok {
		status = s
	}
	if status == nil || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return ""
	}
	return status.Status().Details.Causes[0].Type
}

// Each limit applies to the users in its scope only.
func TestLimits(t *testing.T) {
	cpu := func(n int) corev1.ResourceList {
		return amounts("requests.cpu", fmt.Sprint(n), "requests.memory", "1Gi")
	}
	budgets := map[string]policyv1alpha1.NamespaceBudgetSpec{
		"total":      {Total: amounts("cpu", "10")}, // another name of requests.cpu
		"each":       {PerUser: amounts("count/temporarynamespaces", "2")},
		"devs":       {Groups: []policyv1alpha1.GroupLimit{{Name: "devs", Hard: amounts("requests.cpu", "4")}}},
		"large ones": {ClassNames: []string{"large"}, Total: amounts("count/temporarynamespaces", "1")},
		"broken":     {ClassNames: []string{"odd"}, Total: amounts("cores", "1")},
		"impossible": {ClassNames: []string{"huge"}, PerUser: amounts("requests.cpu", "1")},
		"unbounded":  {ClassNames: []string{"open"}, Total: amounts("limits.cpu", "1")},
	}
	tracker := New()
	var all []*policyv1alpha1.NamespaceBudget
	for name, spec := range budgets {
		all = append(all, budgetOf(name, spec))
	}
	tracker.SetBudgets(all)
	for i, step := range []struct {
		ns    *corev1.Namespace
		cause metav1.CauseType // empty: it fits
		text  string
	}{
		{wanted("tmp-a1", "ann", "default", cpu(2)), "", ""},
		{wanted("tmp-a2", "ann", "default", cpu(2)), "", ""},
		{wanted("tmp-a3", "ann", "default", cpu(2)), v1alpha1.CauseBudgetExceeded,
			`budget "each" for each user is full: 2 of 2 count/temporarynamespaces taken; yours: tmp-a1 (until 20`},
		{wanted("tmp-b1", "bob", "default", cpu(2), "devs"), "", ""},
		{wanted("tmp-c1", "cat", "default", cpu(3), "devs"), v1alpha1.CauseBudgetExceeded,
			`budget "devs" for group "devs" is full: 2 of 4 requests.cpu taken, and class "default" takes 3`},
		{wanted("tmp-c2", "cat", "default", cpu(2), "devs"), "", ""},
		{wanted("tmp-d1", "dan", "large", cpu(1)), "", ""},
		{wanted("tmp-e1", "eve", "large", cpu(1)), v1alpha1.CauseBudgetExceeded,
			`budget "large ones" is full: 1 of 1 count/temporarynamespaces taken; room at 20`},
		{wanted("tmp-f1", "fay", "default", cpu(2)), v1alpha1.CauseBudgetExceeded,
			`budget "total" is full: 9 of 10 requests.cpu taken, and class "default" takes 2`},
		{wanted("tmp-f2", "fay", "default", cpu(1)), "", ""},
		{wanted("tmp-g1", "gil", "odd", cpu(0)), v1alpha1.CauseBudgetImpossible, `budget "broken" is invalid`},
		{wanted("tmp-h1", "hal", "huge", cpu(2)), v1alpha1.CauseBudgetImpossible,
			`takes 2 of requests.cpu, but budget "impossible" for each user allows only 1: none can ever be created`},
		{wanted("tmp-i1", "ian", "open", cpu(0)), v1alpha1.CauseBudgetImpossible,
			`class "open" has no quota on limits.cpu, which budget "unbounded" limits`},
		{wanted("tmp-j1", "joe", "default", nil), v1alpha1.CauseBudgetImpossible, `no quota on requests.cpu`},
	} {
		err := create(t, tracker, step.ns)
		if cause(err) != step.cause || err != nil && !strings.Contains(err.Error(), step.text) {
			t.Errorf("step %d: %s: got %v, want %q", i, step.ns.Name, err, step.text)
		}
	}
	// An existing name is not charged twice: kube-apiserver decides about it.
	if release, err := tracker.Reserve(t.Context(), wanted("tmp-a1", "ann", "default", cpu(2))); err != nil {
		t.Errorf("a repeated request is refused: %v", err)
	} else {
		release()
	}
	// A rejected namespace that is being deleted does not exempt its name.
	gone := made(wanted("tmp-e1", "eve", "large", cpu(1)), "refused")
	gone.Annotations[v1alpha1.AnnotationRefused] = "true"
	tracker.OnUpdate(gone)
	if _, err := tracker.Reserve(t.Context(),
		wanted("tmp-e1", "eve", "large", cpu(1))); cause(err) != v1alpha1.CauseBudgetExceeded {
		t.Errorf("a name that was refused is let in unseen: %v", err)
	}
	usage, full := tracker.Usage()
	for name, want := range map[string]string{"total": "100% requests.cpu 10 of 10",
		"each": "100% count/temporarynamespaces 2 of 2 by one user", "devs": "100% requests.cpu 4 of 4 by group devs"} {
		if u := usage[name]; u.Full+" "+u.Nearest != want {
			t.Errorf("%s: got %s %s, want %s", name, u.Full, u.Nearest, want)
		}
	}
	if full["total"] != 1 || full["large ones"] != 1 {
		t.Errorf("got %v", full)
	}
	if n := usage["total"].Namespaces; n != 6 {
		t.Errorf("%d namespaces count, want 6", n)
	}
	// A limit below the usage: existing namespaces stay, new requests are rejected.
	tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("total",
		policyv1alpha1.NamespaceBudgetSpec{Total: amounts("requests.cpu", "5")})})
	if err := create(t, tracker, wanted("tmp-k1", "kim", "default", cpu(1))); cause(err) != v1alpha1.CauseBudgetExceeded {
		t.Errorf("below what is taken: %v", err)
	}
	for _, name := range []string{"tmp-a1", "tmp-a2", "tmp-b1"} {
		tracker.OnDelete(made(wanted(name, "", "", nil), "uid-"+name))
	}
	if err := create(t, tracker, wanted("tmp-k1", "kim", "default", cpu(1))); err != nil {
		t.Errorf("with room again: %v", err)
	}
	// Without budgets, everything fits.
	tracker.SetBudgets(nil)
	if err := create(t, tracker, wanted("tmp-z", "zoe", "large", cpu(99))); err != nil {
		t.Error(err)
	}
}

// A namespace is charged until it is deleted, by its own annotations: its class may
// be deleted earlier, and the namespace may be older than the budget.
func TestChargedUntilGone(t *testing.T) {
	tracker := New()
	old := made(wanted("tmp-old", "ann", "gone", nil), "1")
	delete(old.Annotations, v1alpha1.AnnotationReserved)
	tracker.OnList([]*corev1.Namespace{old})
	tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
		policyv1alpha1.NamespaceBudgetSpec{Total: amounts("count/temporarynamespaces", "1")})})
	next := wanted("tmp-next", "bob", "default", nil)
	if _, err := tracker.Reserve(t.Context(), next); cause(err) != v1alpha1.CauseBudgetExceeded {
		t.Fatalf("beside one of before: %v", err)
	}
	ending := old.DeepCopy()
	now := metav1.Now()
	ending.DeletionTimestamp = &now
	tracker.OnUpdate(ending)
	if _, err := tracker.Reserve(t.Context(), next); cause(err) != v1alpha1.CauseBudgetExceeded {
		t.Fatalf("beside one that ends: %v", err)
	}
	refused := made(wanted("tmp-refused", "ann", "default", nil), "2")
	refused.Annotations[v1alpha1.AnnotationRefused] = "true"
	tracker.OnUpdate(refused)
	tracker.OnDelete(ending)
	if err := create(t, tracker, next); err != nil {
		t.Errorf("beside one that was refused: %v", err)
	}
}

// A namespace that hangs in its deletion keeps what it takes. The rejection has to say
// so, and must not promise when there is room.
func TestRejectionNamesDeletions(t *testing.T) {
	tracker := New()
	tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
		policyv1alpha1.NamespaceBudgetSpec{PerUser: amounts("count/temporarynamespaces", "2")})})
	deleted := metav1.Date(2026, 1, 2, 14, 2, 0, 0, time.UTC)
	for _, name := range []string{"tmp-held", "tmp-slow"} {
		if err := create(t, tracker, wanted(name, "ann", "default", nil)); err != nil {
			t.Fatal(err)
		}
		ns := made(wanted(name, "ann", "default", nil), "uid-"+name)
		ns.DeletionTimestamp = &deleted
		if name == "tmp-held" {
			ns.Status.Conditions = []corev1.NamespaceCondition{{
				Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue,
				Message: "Some content in the namespace has finalizers remaining: x.test/x in 1 resource instances",
			}}
		}
		tracker.OnUpdate(ns)
	}
	const want = `budget "b" for each user is full: 2 of 2 count/temporarynamespaces taken; ` +
		`being deleted: 2; yours: tmp-held (being deleted since 2026-01-02T14:02:00Z, held by x.test/x in 1 resource ` +
		`instances), tmp-slow (being deleted since 2026-01-02T14:02:00Z)`
	err := create(t, tracker, wanted("tmp-next", "ann", "default", nil))
	if cause(err) != v1alpha1.CauseBudgetExceeded || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A refresh that reserves more is admitted like a creation: at its own event.
func TestMoreIsAdmittedByItsOrder(t *testing.T) {
	tracker := New()
	tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
		policyv1alpha1.NamespaceBudgetSpec{Total: amounts("requests.cpu", "10")})})
	if err := create(t, tracker, wanted("tmp-a", "ann", "default", amounts("requests.cpu", "4"))); err != nil {
		t.Fatal(err)
	}
	if err := create(t, tracker, wanted("tmp-b", "bob", "default", amounts("requests.cpu", "4"))); err != nil {
		t.Fatal(err)
	}
	more := func(n string) *corev1.Namespace {
		return made(wanted("tmp-a", "ann", "default", amounts("requests.cpu", n)), "uid-tmp-a")
	}
	if _, err := tracker.ReserveIncrease(more("7")); cause(err) != v1alpha1.CauseBudgetExceeded {
		t.Errorf("3 more where 2 are free: %v", err)
	}
	release, err := tracker.ReserveIncrease(more("6"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tracker.Reserve(t.Context(),
		wanted("tmp-c", "cat", "default", amounts("requests.cpu", "1"))); err == nil {
		t.Error("what is held for the refresh is given away")
	}
	tracker.OnUpdate(more("6"))
	release()
	if err := tracker.Admitted(more("6")); err != nil {
		t.Error(err)
	}
	// Another replica was faster: at the event of the refresh, the budget is full.
	tracker.OnUpdate(more("4"))
	if err := create(t, tracker, wanted("tmp-d", "dan", "default", amounts("requests.cpu", "2"))); err != nil {
		t.Fatal(err)
	}
	tracker.OnUpdate(more("6"))
	if err := tracker.Admitted(more("6")); cause(err) != v1alpha1.CauseBudgetExceeded {
		t.Errorf("got %v", err)
	}
}

// Pipelines have a different user in every job. A limit for each of them must not stay in
// memory once the request has been answered.
func TestUserLimitsAreDropped(t *testing.T) {
	tracker := New()
	tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b", policyv1alpha1.NamespaceBudgetSpec{
		PerUser: amounts("count/temporarynamespaces", "1"), Total: amounts("count/temporarynamespaces", "2")})})
	if err := create(t, tracker, wanted("tmp-a", "ann", "default", nil)); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		user := fmt.Sprint("job-", i)
		if release, err := tracker.Reserve(t.Context(), wanted("tmp-a", user, "default", nil)); err != nil { // it exists
			t.Error(err)
		} else {
			release()
		}
		if release, err := tracker.Reserve(t.Context(), wanted("tmp-b", user, "default", nil)); err != nil {
			t.Error(err)
		} else {
			release()
		}
	}
	if n := len(tracker.budgets[0].users); n != 1 {
		t.Errorf("there are limits of %d users, want those of ann alone", n)
	}
}
