// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// While a large request waits, what it waits for must not lie idle: it is lent to what
// expires before there is room for the large one, and to nothing else.
func TestBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
			policyv1alpha1.NamespaceBudgetSpec{Total: amounts("requests.cpu", "100")})})
		cpu := func(name, n, ttl string) *corev1.Namespace {
			ns := wanted(name, name, "default", amounts("requests.cpu", n))
			if ns.Annotations[v1alpha1.AnnotationTTL] = ttl; ttl == "" {
				ns.Annotations[v1alpha1.AnnotationLifetime] = string(v1alpha1.LifetimeUnbounded)
				delete(ns.Annotations, v1alpha1.AnnotationMaximumTTL)
			}
			return ns
		}
		if err := create(t, tracker, cpu("tmp-zed", "60", "3000")); err != nil {
			t.Fatal(err)
		}
		large := cpu("tmp-large", "80", "3600")
		if _, err := tracker.Wait(t.Context(), large, "large"); cause(err) != v1alpha1.CauseInLine {
			t.Fatal(err)
		}
		for _, c := range []struct {
			ns   *corev1.Namespace
			fits bool
		}{
			{cpu("tmp-later", "1", "3300"), false},
			{cpu("tmp-forever", "1", ""), false},
			{cpu("tmp-short", "30", "2400"), true},
			{cpu("tmp-too-much", "20", "2400"), false},
			{cpu("tmp-rest", "10", "60"), true},
		} {
			if err := create(t, tracker, c.ns); (err == nil) != c.fits {
				t.Errorf("%s: %v", c.ns.Name, err)
			}
			// the client of the large request is still there
			if _, err := tracker.Wait(t.Context(), large, "large"); cause(err) != v1alpha1.CauseInLine {
				t.Fatal(err)
			}
			time.Sleep(1100 * time.Millisecond) // the forecasts are cached for a second
		}
		// There is room, and its client is about to ask again: nothing is lent any more.
		tracker.OnDelete(made(cpu("tmp-zed", "60", "3000"), "uid-tmp-zed"))
		tracker.OnDelete(made(cpu("tmp-short", "30", "2400"), "uid-tmp-short"))
		time.Sleep(gracePeriod)
		if err := create(t, tracker, cpu("tmp-thief", "30", "60")); err == nil {
			t.Error("what the queued request is about to take was lent")
		}
		if release, err := tracker.Wait(t.Context(), large, "large"); err != nil {
			t.Errorf("the large request is not granted: %v", err)
		} else {
			release()
		}
	})
}

// A request outside the queue waits for at most the grace period, although amounts
// become free all the time.
func TestTheGraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
			policyv1alpha1.NamespaceBudgetSpec{Total: amounts("requests.cpu", "1000")})})
		for i := range 100 {
			if err := create(t, tracker, wanted(fmt.Sprint("tmp-", i), "zed", "default",
				amounts("requests.cpu", "8"))); err != nil {
				t.Fatal(err)
			}
		}
		var busy sync.WaitGroup
		defer busy.Wait()
		busy.Go(func() { // requests that are too large, and deletions
			for i := range 100 {
				_, _ = tracker.Reserve(t.Context(), wanted("tmp-large", "bob", "default", amounts("requests.cpu", "900")))
				tracker.OnDelete(made(wanted(fmt.Sprint("tmp-", i), "", "", nil), fmt.Sprint("uid-tmp-", i)))
				time.Sleep(100 * time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		begun := time.Now()
		if err := create(t, tracker, wanted("tmp-alice", "alice", "default", amounts("requests.cpu", "1"))); err != nil ||
			time.Since(begun) > gracePeriod {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}
