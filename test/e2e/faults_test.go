// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// operation is an operation of the broker on one namespace.
type operation struct {
	name    string
	prepare func() string
	try     func(name string) error            // run once
	holds   func(name string, err error) error // check after the first try
	again   bool                               // repeat try until it succeeds
	finally func(name string) error
}

// Whatever fault occurs in any call of the broker, before or after the call took
// effect: a namespace must be complete or absent, and never accessible without its
// guard rails; its expiry must only move forward; a success that was reported must be
// true; and a repeated request must succeed.
func TestFaults(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	c, port, proxy, kubeconfig := proxied(t)
	b := start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig, "--inspect-interval=1s")
	kube, alice := kubernetesFor(t, c.Config("admin")), as(t, c.Config("alice"))
	breaks := &breaker{plans: map[string]*plan{}}
	proxy.Break(breaks.decide)
	accesses := orderOfAccess(t, kube)
	number := 0
	fresh := func() string { number++; return "tmp-f-" + strconv.FormatInt(int64(number), 36) }
	made := func(ttl time.Duration) string {
		name := fresh()
		if _, err := alice.Create(ctx, tns(name, ttl), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		return name
	}
	later := func(tn *v1alpha1.TemporaryNamespace) time.Time { return tn.CreationTimestamp.Add(3 * time.Hour) }

	operations := []operation{
		refreshes(t, c, fresh),
		{
			"put back", func() string { return made(time.Hour) },
			func(name string) error { return raise(ctx, kube, name) }, nil,
			false, func(name string) error { return lowered(ctx, kube, name) },
		},
		{
			"create", fresh, func(name string) error { return post(ctx, alice, name) },
			func(name string, err error) error {
				if err == nil {
					return complete(ctx, kube, name, "alice")
				}
				return guarded(ctx, kube, name)
			}, true, func(name string) error { return complete(ctx, kube, name, "alice") },
		},
		{
			"create, given up", fresh, func(name string) error { return post(ctx, alice, name) },
			func(name string, _ error) error { return guarded(ctx, kube, name) },
			false, func(name string) error { return completeOrNone(ctx, kube, name) },
		},
		{
			"extend", func() string { return made(time.Hour) },
			func(name string) error {
				_, _, err := alice.Extend(ctx, name, func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time {
					return later(tn)
				}, "", metav1.PatchOptions{})
				return err
			},
			func(name string, err error) error { return expiry(ctx, alice, name, err == nil) },
			true, func(name string) error { return expiry(ctx, alice, name, true) },
		},
		{
			"delete", func() string { return made(time.Hour) },
			func(name string) error { _, err := alice.Delete(ctx, name, metav1.DeleteOptions{}); return err },
			func(name string, err error) error {
				tn, gerr := alice.Get(ctx, name)
				if err == nil && gerr == nil && tn.DeletionTimestamp == nil {
					return errors.New("it was deleted, and lives")
				}
				return nil
			}, true, func(name string) error { return absent(ctx, kube, name) },
		},
		{
			"expire", func() string { return made(4 * time.Second) }, func(string) error { return nil }, nil,
			false, func(name string) error { return absent(ctx, kube, name) },
		},
	}
	for _, op := range operations {
		// Record the calls that the operation makes.
		name := op.prepare()
		breaks.plan(name, call{}, testenv.Fault{}, 0)
		if err := op.try(name); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		if err := testenv.Eventually(100*time.Second, func() error { return op.finally(name) }); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		calls := breaks.done(name).calls
		slices.SortFunc(calls, func(a, b call) int { return strings.Compare(a.what, b.what) })
		calls = slices.Compact(calls)
		if op.name == "expire" { // the other calls are covered by the operations above
			calls = slices.DeleteFunc(calls, func(c call) bool { return !strings.HasPrefix(c.what, "DELETE ") })
		} else if len(calls) < 2 {
			t.Fatalf("%s makes the calls %v", op.name, calls)
		}
		var wg sync.WaitGroup
		places := make(chan struct{}, 8)
		var mu sync.Mutex
		cases, fired := 0, 0
		for _, at := range calls {
			if at.nth > 2 { // calls of a loop that repeats
				continue
			}
			for what, fault := range faults {
				name := op.prepare()
				times := 1
				if !op.again { // again when the broker retries the operation itself
					times = 2
				}
				breaks.plan(name, at, fault, times)
				wg.Go(func() {
					places <- struct{}{}
					defer func() { <-places }()
					where := fmt.Sprintf("%s: %s at %s, time %d", op.name, what, at.what, at.nth)
					err := op.try(name)
					counted := strings.HasPrefix(at.what, "POST ") && (strings.Contains(at.what, "rolebindings") ||
						strings.Contains(at.what, "serviceaccounts") || strings.Contains(at.what, "resourcequotas"))
					if err != nil && what == quotaConflict && counted { // what quotas count
						t.Errorf("%s: %v", where, err)
					}
					if op.holds != nil {
						if herr := op.holds(name, err); herr != nil {
							t.Errorf("%s (%v): %v", where, err, herr)
						}
					}
					if op.again {
						err = testenv.Eventually(60*time.Second, func() error { return op.try(name) })
						if err != nil && !apierrors.IsNotFound(err) {
							t.Errorf("%s, repeated: %v", where, err)
						}
					}
					<-places // waiting does not occupy a slot
					if err := slowly(100*time.Second, func() error { return op.finally(name) }); err != nil {
						t.Errorf("%s, in the end: %v", where, err)
					}
					places <- struct{}{}
					mu.Lock()
					defer mu.Unlock()
					cases++
					if breaks.done(name).fired > 0 {
						fired++
					}
				})
			}
		}
		wg.Wait()
		t.Logf("%s: %d calls, %d cases, in %d of them the fault struck", op.name, len(calls), cases, fired)
		if fired < cases*3/4 {
			t.Errorf("%s: the fault struck in %d of %d cases only", op.name, fired, cases)
		}
		if err := alice.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	}
	// Every remaining namespace is complete or terminating.
	if err := slowly(100*time.Second, func() error {
		all, err := kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"})
		if err != nil {
			return err
		}
		for _, ns := range all.Items {
			if err := completeOrNone(ctx, kube, ns.Name); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	proxy.Break(nil)
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
	if n := accesses(); n < 100 {
		t.Errorf("only %d owners got access", n)
	}
}

// slowly is testenv.Eventually with longer intervals, for many concurrent calls.
func slowly(d time.Duration, f func() error) error {
	end := time.Now().Add(d)
	for {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(time.Second)
	}
}

// post creates a namespace, once, with a request ID.
func post(ctx context.Context, c *client.Client, name string) error {
	cctx, cancel := context.WithTimeout(ctx, 28*time.Second)
	defer cancel()
	tn := tns(name, time.Hour)
	tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: "request-" + name}
	_, err := c.Create(cctx, tn, metav1.CreateOptions{})
	return err
}

// expiry returns an error unless the expiry of a namespace is that of its creation or
// the extended one; if extended is set, only the extended one is allowed.
func expiry(ctx context.Context, c *client.Client, name string, extended bool) error {
	tn, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	at, before := tn.Status.ExpirationTimestamp.Time, tn.CreationTimestamp.Add(time.Hour)
	if after := tn.CreationTimestamp.Add(3 * time.Hour); !at.Equal(after) && (extended || !at.Equal(before)) {
		return fmt.Errorf("it expires at %s; it was %s, and is to be %s", at, before, after)
	}
	return nil
}

// raise increases a quota, as a user with more rights than the tenant could.
func raise(ctx context.Context, kube kubernetes.Interface, name string) error {
	_, err := kube.CoreV1().ResourceQuotas(name).
		Patch(ctx, "tenama", types.MergePatchType, []byte(`{"spec":{"hard":{"pods":"500"}}}`), metav1.PatchOptions{})
	return err
}

// lowered returns an error if the quota is still increased.
func lowered(ctx context.Context, kube kubernetes.Interface, name string) error {
	quota, err := kube.CoreV1().ResourceQuotas(name).Get(ctx, "tenama", metav1.GetOptions{})
	if err == nil && quota.Spec.Hard.Pods().Value() != 50 {
		err = fmt.Errorf("%s still has a quota of %s pods", name, quota.Spec.Hard.Pods())
	}
	return err
}

func absent(ctx context.Context, kube kubernetes.Interface, name string) error {
	if _, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("%s still exists: %v", name, err)
	}
	return nil
}

func completeOrNone(ctx context.Context, kube kubernetes.Interface, name string) error {
	ns, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && ns.DeletionTimestamp != nil {
		return nil
	}
	if err == nil && ns.Annotations[v1alpha1.AnnotationReady] != "true" {
		err = fmt.Errorf("%s is neither ready nor going", name)
	}
	if err == nil {
		err = complete(ctx, kube, name, "alice")
	}
	return err
}
