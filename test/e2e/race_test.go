// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// Retries with the same request ID must create only one namespace, also if they are
// concurrent and without a name.
func TestRequestID(t *testing.T) {
	alice := user(t, "alice")
	tn := tns("", time.Hour)
	tn.GenerateName = "tmp-"
	tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: "9a5e0b8e-1"}
	names := make([]string, 8)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			out, err := alice.Create(t.Context(), tn.DeepCopy(), metav1.CreateOptions{})
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			names[i] = out.Name
			if out.Status.Phase != v1alpha1.PhaseReady {
				t.Errorf("request %d got phase %s", i, out.Status.Phase)
			}
		})
	}
	wg.Wait()
	defer func() { _, _ = alice.Delete(context.Background(), names[0], metav1.DeleteOptions{}) }()
	for _, n := range names {
		if n != names[0] {
			t.Errorf("one request created %q and %q", names[0], n)
		}
	}
	// The same ID from another user is a different request.
	other, err := user(t, "bob").Create(t.Context(), tn.DeepCopy(), metav1.CreateOptions{})
	if err != nil || other.Name == names[0] {
		t.Errorf("bob got %v, %v", other, err)
	}
	_, _ = user(t, "bob").Delete(t.Context(), other.Name, metav1.DeleteOptions{})
	// The same ID for a different object is refused.
	longer := tn.DeepCopy()
	*longer.Spec.TTLSeconds = 7200
	if _, err := alice.Create(t.Context(), longer, metav1.CreateOptions{}); reason(err) != metav1.StatusReasonConflict {
		t.Errorf("another TTL under the same id: got %v, want Conflict", err)
	}
}

// An extension close to the expiry must be either kept or refused: never granted and
// lost.
func TestExtendRacesExpiry(t *testing.T) {
	t.Parallel()
	const n = 60
	alice := user(t, "alice")
	type outcome struct {
		name    string
		granted bool
		until   time.Time
	}
	outcomes := make([]outcome, n)
	// All creations must end long before the first expiry, on any machine: a few at a
	// time, and the TTL by how long one takes beside others.
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	create := func(name string, ttl time.Duration) (*v1alpha1.TemporaryNamespace, time.Duration, error) {
		slots <- struct{}{}
		defer func() { <-slots }()
		begun := time.Now()
		tn, err := alice.Create(t.Context(), tns(name, ttl), metav1.CreateOptions{})
		return tn, time.Since(begun), err
	}
	first, took, err := create(unique("race"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = alice.Delete(context.Background(), first.Name, metav1.DeleteOptions{}) }()
	ttl := (20*time.Second + n*took).Round(time.Second)
	for i := range n {
		wg.Go(func() {
			name := fmt.Sprintf("%s-%d", unique("race"), i)
			tn, _, err := create(name, ttl)
			if err != nil {
				t.Error(err)
				return
			}
			// Most extensions are around the expiry, a few milliseconds apart; some are
			// earlier, for machines where requests take long to reach the broker.
			before := time.Duration(n/2-i) * 2 * time.Millisecond
			if i%4 == 0 {
				before = time.Duration(n-i) * max(50*time.Millisecond, took/4)
			}
			time.Sleep(time.Until(tn.Status.ExpirationTimestamp.Add(-before)))
			_, after, err := alice.Extend(t.Context(), name, func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time {
				return tn.CreationTimestamp.Add(time.Hour)
			}, "", metav1.PatchOptions{})
			outcomes[i] = outcome{name: name, granted: err == nil}
			if err == nil {
				outcomes[i].until = after.Status.ExpirationTimestamp.Time
			} else if r := reason(err); r != metav1.StatusReasonConflict && r != metav1.StatusReasonNotFound {
				t.Errorf("%s: refused with %v, want Conflict or NotFound", name, err)
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Second)
	granted := 0
	for _, o := range outcomes {
		if o.name == "" {
			continue
		}
		gone := func() error { return going(t.Context(), admin(), o.name) }
		if o.granted {
			granted++
			if gone() == nil {
				t.Errorf("%s was extended until %s and is deleted", o.name, o.until)
			}
			_, _ = alice.Delete(t.Context(), o.name, metav1.DeleteOptions{})
		} else if err := testenv.Eventually(60*time.Second, gone); err != nil {
			t.Errorf("%s was rejected: %v", o.name, err)
		}
	}
	t.Logf("%d of %d granted, the others rejected", granted, n)
	if granted == 0 || granted == n {
		t.Errorf("%d of %d granted: no request was close to the expiry", granted, n)
	}
}

// kube-apiserver would accept a write to a namespace that is being deleted. The broker
// must not extend such a namespace.
func TestNoExtensionDuringDeletion(t *testing.T) {
	t.Parallel()
	alice := user(t, "alice")
	tn := borrow(t, alice, unique("dying"), time.Hour)
	if _, err := alice.Delete(t.Context(), tn.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := alice.Extend(t.Context(), tn.Name, func(*v1alpha1.TemporaryNamespace, time.Time) time.Time {
		return time.Now().Add(5 * time.Hour)
	}, "", metav1.PatchOptions{})
	if reason(err) != metav1.StatusReasonConflict || !strings.Contains(err.Error(), "being deleted") {
		t.Errorf("got %v, want a Conflict", err)
	}
	now, err := alice.Get(t.Context(), tn.Name)
	if err != nil || now.Status.Phase != v1alpha1.PhaseTerminating {
		t.Errorf("got %+v, %v, want it Terminating", now, err)
	}
	if err := alice.WaitGone(t.Context(), tn.Name, tn.UID); err != nil {
		t.Error(err)
	}
	// The name is quarantined for others: a cached token must not open their namespace.
	if _, err := user(t, "bob").
		Create(t.Context(), tns(tn.Name, time.Hour), metav1.CreateOptions{}); reason(err) != metav1.StatusReasonConflict {
		t.Errorf("bob got the name immediately: %v", err)
	}
	if _, err := alice.Create(t.Context(), tns(tn.Name, time.Hour), metav1.CreateOptions{}); err != nil {
		t.Errorf("alice could not use her own name again: %v", err)
	}
}

// Thirty-two concurrent callers must all be served.
func TestConcurrentCallers(t *testing.T) {
	alice := user(t, "alice")
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			tn := tns(fmt.Sprintf("%s-%d", unique("many"), i), time.Hour)
			tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: tn.Name} // as the plugin, which may repeat it
			if _, err := alice.Create(t.Context(), tn, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
			_, _ = alice.Delete(t.Context(), tn.Name, metav1.DeleteOptions{})
		})
	}
	wg.Wait()
}

// Even the first object over the quota must be refused. A new quota has no effect until
// its status is filled, and the controller that fills it may be late: here it is
// stopped.
func TestQuotaIsInForceBeforeAccess(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	b := start(t, c, port, "broker-0")
	defer func() { _ = b.Stop() }()
	alice, kube := as(t, c.Config("alice")), c.Client("alice")
	if err := c.Signal("kube-controller-manager", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Signal("kube-controller-manager", syscall.SIGCONT) }()
	const n = 100
	refused := 0
	for i := range n {
		name := fmt.Sprintf("tmp-full-%d", i)
		// The owner knows the name and tries from the first moment on.
		result := make(chan error, 1)
		go func() {
			for {
				_, err := kube.CoreV1().Services(name).Create(t.Context(), &corev1.Service{
					ObjectMeta: metav1.ObjectMeta{Name: "costly"},
					Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
				}, metav1.CreateOptions{})
				if err == nil || strings.Contains(err.Error(), "quota") || t.Context().Err() != nil {
					result <- err
					return
				}
			}
		}()
		if _, err := alice.Create(t.Context(), tns(name, time.Hour), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := <-result; err == nil {
			t.Errorf("%s: a load balancer was created over a quota of 0", name)
		} else if strings.Contains(err.Error(), "exceeded quota") {
			refused++
		}
	}
	if refused != n {
		t.Errorf("the quota rejected %d of %d", refused, n)
	}
}
