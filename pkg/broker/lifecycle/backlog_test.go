// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
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
	e.awaitWatch(cache)
	e.m = &Manager{Client: e.client, Cache: cache, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return e.now }, Contained: func() error { return nil },
		RevokeAfter: 11 * time.Minute, Grace: 5 * time.Minute, MaxOverdue: 3,
		Expired: func(time.Duration) {}, local: func() time.Time { return e.now }}
	return e
}

// awaitWatch waits until the cache watches: the fake does not tell what happened between the
// list and the watch.
func (e *ends) awaitWatch(cache *nscache.Cache) {
	e.t.Helper()
	for i := range 6000 {
		name := fmt.Sprintf("tmp-watched-%d", i)
		ns := sampleNamespace(func(ns *corev1.Namespace) {
			ns.Name, ns.UID, ns.CreationTimestamp = name, types.UID(name), metav1.NewTime(e.now.Add(1000*time.Hour))
		})
		if _, err := e.client.CoreV1().Namespaces().Create(e.t.Context(), ns, metav1.CreateOptions{}); err != nil {
			e.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		if cache.Get(name) != nil {
			return
		}
	}
	e.t.Fatal("the cache shows nothing that is created")
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
		for end := time.Now().Add(time.Minute); e.m.Cache.Get(name) != nil; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				e.t.Fatalf("the cache still has %s", name)
			}
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

// annotate changes the annotations of a namespace, and waits until the cache shows it.
func (e *ends) annotate(name string, change func(map[string]string)) {
	e.t.Helper()
	ns, err := e.client.CoreV1().Namespaces().Get(e.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	change(ns.Annotations)
	ns.ResourceVersion += "1" // the fake keeps it
	if ns, err = e.client.CoreV1().Namespaces().Update(e.t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		e.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); e.m.Cache.Get(name).ResourceVersion != ns.ResourceVersion; {
		if time.Now().After(end) {
			e.t.Fatal("the cache does not show the change")
		}
		time.Sleep(time.Millisecond)
	}
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

const (
	grace    = 3000 // tenths of a second
	askLater = 100
)

// Without a grace and turns, an outage would be followed by as many deletions as
// kube-apiserver takes, in any order, before an owner could extend a namespace.
func TestBacklog(t *testing.T) {
	e := newEnds(t, map[string]time.Duration{"tmp-just": time.Second, "tmp-3": time.Minute, "tmp-2": 10 * time.Minute,
		"tmp-1": time.Hour, "tmp-extended": 2 * time.Hour})
	e.m.MaxOverdue = 10
	if n, oldest := e.m.Overdue(); n != 5 || oldest != 2*time.Hour {
		t.Errorf("%d are overdue, the oldest by %s", n, oldest)
	}
	for name, want := range map[string]int{"tmp-just": 0, "tmp-1": grace, "tmp-2": grace, "tmp-3": grace} {
		if got := e.reconcile(name); got != want {
			t.Errorf("%s: again in %d, want %d", name, got, want)
		}
	}
	e.annotate("tmp-extended", func(a map[string]string) {
		a[v1alpha1.AnnotationMaximumTTL] = "999999"
		a[v1alpha1.AnnotationExtendUntil] = e.now.Add(time.Hour).Format(time.RFC3339)
	})
	e.now = e.now.Add(5 * time.Minute)
	got := []int{e.reconcile("tmp-3"), e.reconcile("tmp-2"), e.reconcile("tmp-1")}
	if diff := cmp.Diff([]int{2, 1, 0}, got); diff != "" { // oldest first, and what was extended takes no turn
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	e.now = e.now.Add(100 * time.Millisecond)
	if again := e.reconcile("tmp-2"); again != 0 {
		t.Errorf("not deleted %d tenths of a second after its turn", again)
	}
	// Its turn passes while the broker is not contained: then there is a new grace.
	e.m.Contained = func() error { return errors.New("no policy") }
	e.now = e.now.Add(time.Hour)
	e.reconcile("tmp-3")
	e.m.Contained = func() error { return nil }
	if again := e.reconcile("tmp-3"); again != grace {
		t.Errorf("after an hour without containment: again in %d", again)
	}
	// So there is if kube-apiserver refuses the deletion.
	refuses := true
	e.client.PrependReactor("delete", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return refuses, nil, errors.New("a webhook does not answer")
	})
	e.now = e.now.Add(5 * time.Minute)
	if _, err := e.m.Reconcile(t.Context(), "tmp-3"); err == nil {
		t.Error("the refusal is no error")
	}
	refuses = false
	if again, err := e.m.Reconcile(t.Context(), "tmp-3"); err != nil || again.Sub(e.now) != 5*time.Minute {
		t.Errorf("after a refused deletion: again in %s, %v", again.Sub(e.now), err)
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
	for name := range late {
		if again := e.reconcile(name); again != askLater {
			t.Fatalf("%s: again in %d", name, again)
		}
	}
	e.instruct(map[string]string{v1alpha1.AnnotationConfirmExpiry: "tomorrow"})
	if again := e.reconcile("tmp-4"); again != askLater {
		t.Errorf("confirmed by what is not a time: again in %d", again)
	}
	// Two of the five are confirmed, and one is on hold: the others wait, although they are
	// no more than the limit now.
	before := e.now.Add(-22*time.Minute - time.Second).Format(time.RFC3339)
	e.instruct(map[string]string{v1alpha1.AnnotationConfirmExpiry: before})
	e.annotate("tmp-2", func(a map[string]string) { a[v1alpha1.AnnotationHold] = "evidence" })
	if got := []int{e.reconcile("tmp-3"), e.reconcile("tmp-4")}; !cmp.Equal(got, []int{1, 0}) {
		t.Errorf("confirmed: again in %d", got)
	}
	e.now = e.now.Add(2 * time.Second)
	for _, name := range []string{"tmp-0", "tmp-1"} {
		if again := e.reconcile(name); again != askLater {
			t.Errorf("%s is not confirmed: again in %d", name, again)
		}
	}
	e.instruct(map[string]string{v1alpha1.AnnotationConfirmExpiry: e.now.Format(time.RFC3339)})
	e.now = e.now.Add(2 * time.Second)
	if again := e.reconcile("tmp-1"); again != 0 {
		t.Errorf("all are confirmed: again in %d", again)
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
	if again := e.reconcile("tmp-a"); again != askLater || e.deleted("tmp-a") {
		t.Errorf("instructions that cannot be read: again in %d, deleted: %t", again, e.deleted("tmp-a"))
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
	e.annotate("tmp-a", func(a map[string]string) { a[v1alpha1.AnnotationHold] = "" })
	again, err := e.m.Reconcile(t.Context(), "tmp-a")
	if err != nil || !again.IsZero() || e.deleted("tmp-a") {
		t.Fatalf("on hold: again at %s, error %v, deleted: %t", again, err, e.deleted("tmp-a"))
	}
	if n, _ := e.m.Overdue(); n != 0 || e.m.Holds() != 1 {
		t.Errorf("%d overdue, %d on hold", n, e.m.Holds())
	}
	e.annotate("tmp-a", func(a map[string]string) { delete(a, v1alpha1.AnnotationHold) })
	if again := e.reconcile("tmp-a"); again != grace {
		t.Errorf("the hold has ended: again in %d tenths of a second", again)
	}
}
