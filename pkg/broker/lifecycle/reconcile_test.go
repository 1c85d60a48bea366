// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/nscache"
)

type noHandler struct{}

func (noHandler) OnList([]*corev1.Namespace) {}
func (noHandler) OnUpdate(*corev1.Namespace) {}
func (noHandler) OnDelete(*corev1.Namespace) {}

func sampleNamespace(change func(*corev1.Namespace)) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "tmp-a", UID: "uid-tmp-a", ResourceVersion: "7",
		Labels: map[string]string{v1alpha1.LabelManaged: "true", v1alpha1.LabelClass: "default",
			v1alpha1.LabelOwner: v1alpha1.OwnerHash("alice")},
		Annotations: map[string]string{
			v1alpha1.AnnotationOwner: "alice", v1alpha1.AnnotationTTL: "3600", v1alpha1.AnnotationMaximumTTL: "7200",
			v1alpha1.AnnotationReady: "true",
		},
	}}
	change(ns)
	return ns
}

// A namespace is deleted when it has expired by the clock of kube-apiserver, whatever
// the local clock says, and exactly the version that was seen.
func TestReconcile(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	deleting := metav1.NewTime(now)
	for name, c := range map[string]struct {
		change  func(*corev1.Namespace)
		server  time.Time
		deleted bool
		again   time.Duration // by the server's clock; 0 is never
	}{
		"expired":                    {nil, now, true, 0},
		"our clock is an hour ahead": {nil, now.Add(-time.Hour), false, 59 * time.Minute},
		"our clock is behind":        {nil, now.Add(time.Hour), true, 0},
		"our clock is behind, and it lives by it": {func(ns *corev1.Namespace) {
			ns.CreationTimestamp = ago(time.Minute)
		}, now.Add(time.Hour), true, 0},
		"alive": {func(ns *corev1.Namespace) {
			ns.CreationTimestamp = ago(time.Minute)
		}, now, false, 59 * time.Minute},
		"extended": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationExtendUntil] = now.Add(30 * time.Minute).Format(time.RFC3339)
		}, now, false, 30 * time.Minute},
		"being deleted": {func(ns *corev1.Namespace) { ns.DeletionTimestamp = &deleting }, now, false, 11 * time.Minute},
		"unbounded": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationLifetime] = "Unbounded"
		}, now, false, 0},
		"refused, and left": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationRefused] = "true"
		}, now, true, 0},
		"unreadable": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationTTL] = "soon"
		}, now, false, 0},
		"extended into an odd year": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationExtendUntil] = "-0001-12-31T01:00:00Z"
		}, now, false, 0},
		"not ready, and not yet late": {func(ns *corev1.Namespace) {
			ns.CreationTimestamp = ago(20 * time.Second)
			delete(ns.Annotations, v1alpha1.AnnotationReady)
		}, now, false, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			ns := sampleNamespace(func(ns *corev1.Namespace) { ns.CreationTimestamp = ago(time.Hour + time.Minute) })
			if c.change != nil {
				c.change(ns)
			}
			client := fake.NewClientset(ns, brokerRole())
			cache := nscache.New(client, noHandler{})
			if err := cache.Start(t.Context(), func(*corev1.Namespace) {}); err != nil {
				t.Fatal(err)
			}
			seen := cache.Get("tmp-a").ResourceVersion
			m := &Manager{Client: client, Cache: cache, Log: slog.New(slog.DiscardHandler), Contained: func() error {
				return nil
			}, Now: func() time.Time { return c.server }, RevokeAfter: 11 * time.Minute, Expired: func(time.Duration) {}}
			again, err := m.Reconcile(t.Context(), "tmp-a")
			if err != nil {
				t.Fatal(err)
			}
			d, elapsed := again.Sub(c.server), time.Since(now)
			late := d < c.again-2*time.Second || d > c.again+2*time.Second+elapsed
			if c.again == 0 && !again.IsZero() || c.again > 0 && late {
				t.Errorf("again in %s, want %s; %s have elapsed", d, c.again, elapsed)
			}
			var deletions []clienttesting.DeleteActionImpl
			for _, a := range client.Actions() {
				if d, ok := a.(clienttesting.DeleteActionImpl); ok {
					deletions = append(deletions, d)
				}
			}
			if (len(deletions) == 1) != c.deleted {
				t.Fatalf("deletions: %v, want %t", deletions, c.deleted)
			}
			if c.deleted {
				p := deletions[0].DeleteOptions.Preconditions
				if p == nil || p.UID == nil || *p.UID != ns.UID || p.ResourceVersion == nil || *p.ResourceVersion != seen {
					t.Errorf("preconditions are %+v", p)
				}
			}
		})
	}
}
