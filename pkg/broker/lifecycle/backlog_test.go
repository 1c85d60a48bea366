// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/nscache"
)

// ends is a cluster with namespaces that have expired, and what a Manager does about them
// at a time that the test sets.
type ends struct {
	t      *testing.T
	client *fake.Clientset
	m      *Manager
	now    time.Time
}

// newEnds returns a cluster with namespaces that expired some time ago, by name.
func newEnds(t *testing.T, expired map[string]time.Duration) *ends {
	e := &ends{t: t, now: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)}
	e.client = fake.NewClientset(brokerRole())
	for name, ago := range expired {
		ns := sampleNamespace(func(ns *corev1.Namespace) {
			ns.Name, ns.UID = name, types.UID("uid-"+name)
			ns.CreationTimestamp = metav1.NewTime(e.now.Add(-ago - time.Hour))
		})
		if _, err := e.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	cache := nscache.New(e.client, noHandler{})
	if err := cache.Start(t.Context(), func(*corev1.Namespace) {}); err != nil {
		t.Fatal(err)
	}
	e.m = &Manager{Client: e.client, Cache: cache, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return e.now }, Contained: func() error { return nil },
		RevokeAfter: 11 * time.Minute, Grace: 5 * time.Minute, MaxOverdue: 3}
	return e
}

// brokerRole returns the ClusterRole of the broker, without instructions.
func brokerRole() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ClusterRoleBroker}}
}

// reconcile returns after how many tenths of a second the broker looks at a namespace
// again; 0 if it was deleted.
func (e *ends) reconcile(name string) int {
	e.t.Helper()
	again, err := e.m.Reconcile(e.t.Context(), name)
	if err != nil {
		e.t.Fatalf("%s: %v", name, err)
	}
	if again.IsZero() {
		if !e.deleted(name) {
			e.t.Fatalf("%s is neither deleted nor looked at again", name)
		}
		return 0
	}
	if e.deleted(name) {
		e.t.Errorf("%s is deleted, and looked at again", name)
	}
	return int(again.Sub(e.now) / (100 * time.Millisecond))
}

func (e *ends) deleted(name string) bool {
	for _, a := range e.client.Actions() {
		if d, ok := a.(clienttesting.DeleteAction); ok && d.GetName() == name {
			return true
		}
	}
	return false
}

// instruct sets annotations of the broker's ClusterRole, as an administrator does.
func (e *ends) instruct(annotations map[string]string) {
	e.t.Helper()
	_, err := e.client.RbacV1().ClusterRoles().Update(e.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
		Name: v1alpha1.ClusterRoleBroker, Annotations: annotations}}, metav1.UpdateOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	e.m.told.read = time.Time{} // as if a second had passed
}

// Without turns, an outage would be followed by as many deletions as kube-apiserver takes,
// in any order, before an owner could extend a namespace.
func TestBacklog(t *testing.T) {
	e := newEnds(t, map[string]time.Duration{
		"tmp-just": time.Second, "tmp-behind-2": 20 * time.Second, "tmp-behind-1": time.Minute,
		"tmp-late-2": 10 * time.Minute, "tmp-late-1": time.Hour, "tmp-late-3": 6 * time.Minute,
	})
	e.m.MaxOverdue = 10
	grace := int(5 * time.Minute / (100 * time.Millisecond))
	want := map[string]int{"tmp-just": 0, "tmp-behind-1": 0, "tmp-behind-2": 1,
		"tmp-late-1": grace, "tmp-late-2": grace + 1, "tmp-late-3": grace + 2}
	got := map[string]int{}
	for _, name := range []string{"tmp-late-3", "tmp-behind-2", "tmp-just", "tmp-late-2", "tmp-behind-1", "tmp-late-1"} {
		got[name] = e.reconcile(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	if n, oldest := e.m.Overdue(); n < 4 || oldest != time.Hour {
		t.Errorf("%d are overdue, the oldest by %s", n, oldest)
	}
	e.now = e.now.Add(5*time.Minute + time.Second)
	for _, name := range []string{"tmp-behind-2", "tmp-late-1", "tmp-late-2", "tmp-late-3"} {
		if again := e.reconcile(name); again != 0 {
			t.Errorf("%s is deleted %d tenths of a second after its turn", name, again)
		}
	}
}

// Without the limit, a wrong clock, or a cluster restored from a backup, would end all that
// is lent.
func TestTooManyOverdue(t *testing.T) {
	late := map[string]time.Duration{}
	for i := range 5 {
		late[fmt.Sprintf("tmp-%d", i)] = time.Duration(10+i) * time.Minute
	}
	e := newEnds(t, late)
	e.reconcile("tmp-0")
	e.now = e.now.Add(10 * time.Minute)
	const askAgain = 100
	for name := range late {
		if again := e.reconcile(name); again != askAgain {
			t.Fatalf("%s: again in %d", name, again)
		}
	}
	e.instruct(map[string]string{v1alpha1.AnnotationConfirmExpiry: "tomorrow"})
	if again := e.reconcile("tmp-4"); again != askAgain {
		t.Errorf("confirmed by what is not a time: again in %d", again)
	}
	// Two of the five are confirmed; the others are no more than the limit then.
	before := e.now.Add(-22*time.Minute - time.Second).Format(time.RFC3339)
	e.instruct(map[string]string{v1alpha1.AnnotationConfirmExpiry: before})
	if again := e.reconcile("tmp-4"); again != 0 {
		t.Errorf("confirmed: again in %d", again)
	}
	e.now = e.now.Add(2 * time.Second) // the count is a second old at most
	if again := e.reconcile("tmp-0"); again != 0 {
		t.Errorf("no more than the limit are left: again in %d", again)
	}
}

// While the expiries are paused nothing is deleted, and no access is revoked; without
// instructions that can be read, likewise. Each namespace asks again.
func TestPause(t *testing.T) {
	e := newEnds(t, map[string]time.Duration{"tmp-a": time.Second, "tmp-b": time.Hour})
	e.instruct(map[string]string{v1alpha1.AnnotationPauseExpiry: ""})
	for _, name := range []string{"tmp-a", "tmp-b"} {
		if again := e.reconcile(name); again != 100 {
			t.Errorf("%s: again in %d tenths of a second", name, again)
		}
	}
	if !e.m.Paused() {
		t.Error("not shown as paused")
	}
	e.instruct(nil)
	if again := e.reconcile("tmp-a"); again != 0 || e.m.Paused() {
		t.Errorf("the pause has ended: again in %d tenths of a second, shown as paused: %t", again, e.m.Paused())
	}

	e = newEnds(t, map[string]time.Duration{"tmp-a": time.Second})
	e.client.PrependReactor("get", "clusterroles", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no answer")
	})
	if _, err := e.m.Reconcile(t.Context(), "tmp-a"); err == nil || e.deleted("tmp-a") {
		t.Errorf("instructions that cannot be read: error %v, deleted: %t", err, e.deleted("tmp-a"))
	}
}

// One read serves all that is due in the same second.
func TestInstructionsAreReadOnce(t *testing.T) {
	expired := map[string]time.Duration{}
	for i := range 20 {
		expired[fmt.Sprintf("tmp-%d", i)] = time.Second
	}
	e := newEnds(t, expired)
	for name := range expired {
		e.reconcile(name)
	}
	reads := 0
	for _, a := range e.client.Actions() {
		if a.Matches("get", "clusterroles") {
			reads++
		}
	}
	if reads == 0 || reads > 5 {
		t.Errorf("read %d times", reads)
	}
}

// A hold keeps what has expired, and its end begins a grace.
func TestHold(t *testing.T) {
	e := newEnds(t, map[string]time.Duration{"tmp-a": time.Hour})
	annotate := func(change func(map[string]string)) {
		ns, err := e.client.CoreV1().Namespaces().Get(t.Context(), "tmp-a", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		change(ns.Annotations)
		if ns, err = e.client.CoreV1().Namespaces().Update(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, want := v1alpha1.OnHold(ns); ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if _, held := v1alpha1.OnHold(e.m.Cache.Get("tmp-a")); held == want {
				return
			}
		}
		t.Fatal("the cache does not show the change")
	}
	annotate(func(a map[string]string) { a[v1alpha1.AnnotationHold] = "" })
	again, err := e.m.Reconcile(t.Context(), "tmp-a")
	if err != nil || !again.IsZero() || e.deleted("tmp-a") {
		t.Fatalf("on hold: again at %s, error %v, deleted: %t", again, err, e.deleted("tmp-a"))
	}
	if n, _ := e.m.Overdue(); n != 0 || e.m.Holds() != 1 {
		t.Errorf("%d overdue, %d on hold", n, e.m.Holds())
	}
	annotate(func(a map[string]string) { delete(a, v1alpha1.AnnotationHold) })
	if again := e.reconcile("tmp-a"); again != 3000 {
		t.Errorf("the hold has ended: again in %d tenths of a second", again)
	}
}
