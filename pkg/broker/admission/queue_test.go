// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// Queued requests are granted in their order, and the owners take turns. A request
// outside the queue does not overtake them.
func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
			policyv1alpha1.NamespaceBudgetSpec{Total: amounts("count/temporarynamespaces", "1")})})
		free := func(name string) { tracker.OnDelete(made(wanted(name, "", "", nil), "uid-"+name)) }
		if err := create(t, tracker, wanted("tmp-0", "zed", "default", nil)); err != nil {
			t.Fatal(err)
		}
		served := make(chan string, 10)
		wait := func(owner, name string) {
			for {
				release, err := tracker.Wait(t.Context(), wanted(name, owner, "default", nil), name)
				if apierrors.IsTooManyRequests(err) {
					time.Sleep(100 * time.Millisecond)
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				tracker.OnUpdate(made(wanted(name, owner, "default", nil), "uid-"+name))
				release()
				served <- name
				return
			}
		}
		// greedy queues two requests before the other owners.
		for _, x := range []struct{ owner, name string }{{"greedy", "tmp-g1"}, {"greedy", "tmp-g2"}, {"ann", "tmp-a1"},
			{"bob", "tmp-b1"}} {
			go wait(x.owner, x.name)
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		last := "tmp-0"
		for i, want := range []string{"tmp-g1", "tmp-a1", "tmp-b1", "tmp-g2"} {
			free(last)
			if _, err := tracker.Reserve(t.Context(),
				wanted("tmp-pushy", "pushy", "default", nil)); cause(err) != v1alpha1.CauseBudgetExceeded {
				t.Errorf("turn %d: another request overtakes the queue: %v", i, err)
			}
			if got := <-served; got != want {
				t.Errorf("turn %d: got %s, want %s", i, got, want)
			}
			last = want
		}
		// The queue is empty: after the grace period any request gets the free amount.
		free(last)
		begun := time.Now()
		if err := create(t, tracker, wanted("tmp-pushy", "pushy", "default", nil)); err != nil ||
			time.Since(begun) > gracePeriod {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}

// A client that does not retry loses its position; a free amount is kept for it only
// for a short time.
func TestWhoGoesAwayHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
			policyv1alpha1.NamespaceBudgetSpec{Total: amounts("count/temporarynamespaces", "1")})})
		if err := create(t, tracker, wanted("tmp-0", "zed", "default", nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := tracker.Wait(t.Context(), wanted("tmp-1", "ann", "default", nil),
			"1"); cause(err) != v1alpha1.CauseInLine || !strings.Contains(err.Error(), "number 1 in the queue") {
			t.Fatal(err)
		}
		done := make(chan time.Time, 1)
		begun := time.Now()
		go func() {
			for {
				if _, err := tracker.Wait(t.Context(), wanted("tmp-2", "bob", "default", nil), "2"); err == nil {
					done <- time.Now()
					return
				}
			}
		}()
		synctest.Wait()
		tracker.OnDelete(made(wanted("tmp-0", "", "", nil), "uid-tmp-0"))
		if took := (<-done).Sub(begun); took < retryWindow-jitter || took > retryWindow+2*jitter {
			t.Errorf("room was kept for %s", took)
		}
	})
}

// A line has an end, for each and for all.
func TestLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
			policyv1alpha1.NamespaceBudgetSpec{Total: amounts("count/temporarynamespaces", "1")})})
		if err := create(t, tracker, wanted("tmp-0", "zed", "default", nil)); err != nil {
			t.Fatal(err)
		}
		join := func(owner string, n int) error {
			_, err := tracker.enqueue(usageOf(wanted("tmp-x", owner, "default", nil)), fmt.Sprint(n))
			return err
		}
		for i := range maxQueuedPerOwner {
			if err := join("greedy", i); err != nil {
				t.Fatal(err)
			}
		}
		if err := join("greedy", maxQueuedPerOwner); !apierrors.IsTooManyRequests(err) {
			t.Errorf("got %v", err)
		}
		for i := range maxQueued - maxQueuedPerOwner {
			if err := join(fmt.Sprint(i), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := join("late", 0); !apierrors.IsTooManyRequests(err) {
			t.Errorf("got %v", err)
		}
		time.Sleep(ticketTTL + time.Second)
		tracker.mu.Lock()
		tracker.dispatch()
		left := len(tracker.queue.tickets)
		tracker.mu.Unlock()
		if left != 0 {
			t.Errorf("%d tickets are left over", left)
		}
	})
}

// A queued request at its user's own limit does not block other users, and requests
// for existing names do not exhaust a budget.
func TestNobodyShutsABudgetForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{
			budgetOf("b", policyv1alpha1.NamespaceBudgetSpec{Total: amounts("requests.cpu", "100"),
				PerUser: amounts("count/temporarynamespaces", "1")}),
		})
		cpu := func(n int) map[string]string { return map[string]string{"n": fmt.Sprint(n)} }
		ns := func(name, owner string, n map[string]string) error {
			return create(t, tracker, wanted(name, owner, "default", amounts("requests.cpu", n["n"])))
		}
		if err := ns("tmp-m", "mallory", cpu(51)); err != nil {
			t.Fatal(err)
		}
		for range 20 { // her existing name, repeatedly
			if _, err := tracker.Reserve(t.Context(),
				wanted("tmp-m", "mallory", "default", amounts("requests.cpu", "8"))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tracker.Wait(t.Context(), wanted("tmp-m2", "mallory", "default", amounts("requests.cpu", "50")),
			"m2"); cause(err) != v1alpha1.CauseInLine {
			t.Fatal(err)
		}
		if err := ns("tmp-a", "alice", cpu(49)); err != nil {
			t.Errorf("alice is kept from what is free: %v", err)
		}
	})
}

// A granted request that lost a race to another replica regains its position before
// later requests. It does not block them while its rejected namespace still exists.
func TestLostRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := New()
		tracker.SetBudgets([]*policyv1alpha1.NamespaceBudget{budgetOf("b",
			policyv1alpha1.NamespaceBudgetSpec{Total: amounts("count/temporarynamespaces", "1")})})
		ann, bob := wanted("tmp-ann", "ann", "default", nil), wanted("tmp-bob", "bob", "default", nil)
		release, err := tracker.Wait(t.Context(), ann, "1")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		tracker.OnUpdate(made(wanted("tmp-faster", "zed", "default", nil), "faster"))
		mine := made(ann, "mine")
		tracker.OnUpdate(mine)
		release()
		if err := tracker.Admitted(mine); cause(err) != v1alpha1.CauseBudgetExceeded {
			t.Fatal(err)
		}
		if _, err := tracker.Wait(t.Context(), bob, "2"); cause(err) != v1alpha1.CauseInLine {
			t.Fatal(err)
		}
		if err := tracker.Requeue(ann, "1"); cause(err) != v1alpha1.CauseInLine ||
			!strings.Contains(err.Error(), "number 1") {
			t.Errorf("got %v", err)
		}
		if err := tracker.Requeue(ann, "other"); err != nil {
			t.Errorf("a ticket that does not exist: %v", err)
		}
		refused := mine.DeepCopy()
		refused.Annotations[v1alpha1.AnnotationRefused] = "true"
		tracker.OnUpdate(refused)
		tracker.OnDelete(made(wanted("tmp-faster", "", "", nil), "faster"))
		if release, err := tracker.Wait(t.Context(), bob, "2"); err != nil { // ann's namespace still exists
			t.Errorf("bob is held up: %v", err)
		} else {
			release()
		}
		tracker.OnDelete(refused)
		if _, err := tracker.Wait(t.Context(), ann, "1"); err != nil {
			t.Errorf("ann: %v", err)
		}
	})
}
