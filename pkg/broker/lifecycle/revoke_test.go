// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/nscache"
)

// A tenant whose pod cannot end would keep access for ever; but a namespace that lives,
// or one that was created again under the same name, must keep its bindings.
func TestRevoke(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }
	for name, c := range map[string]struct {
		deleted   *metav1.Time
		live      func(*corev1.Namespace) // differs from the cache
		server    time.Time
		contained error
		paused    bool  // by an administrator
		fails     error // each deletion
		revoked   bool
		again     time.Duration // by the server's clock; 0 is never
	}{
		"the deletion hangs":          {deleted: ago(12 * time.Minute), server: now, revoked: true},
		"the deletion has just begun": {deleted: ago(time.Second), server: now, again: 11*time.Minute - time.Second},
		"our clock is ahead": {deleted: ago(12 * time.Minute), server: now.Add(-5 * time.Minute),
			again: 4 * time.Minute},
		"our clock is behind": {deleted: ago(time.Minute), server: now.Add(11 * time.Minute), revoked: true},
		"not contained":       {deleted: ago(12 * time.Minute), server: now, contained: ErrDeleting, again: uncontainedRetry},
		"expiries are paused": {deleted: ago(12 * time.Minute), server: now, paused: true, again: askAgain},
		"it was created again": {deleted: ago(12 * time.Minute), server: now, live: func(ns *corev1.Namespace) {
			ns.UID, ns.DeletionTimestamp = "other", nil
		}},
		"it was created again, and is being deleted": {deleted: ago(12 * time.Minute), server: now,
			live: func(ns *corev1.Namespace) { ns.UID = "other" }},
		"its own binding is gone": {deleted: ago(12 * time.Minute), server: now, again: revokeRetry,
			fails: apierrors.NewForbidden(schema.GroupResource{Resource: "rolebindings"}, "", errors.New("no right"))},
		"another replica did it": {deleted: ago(12 * time.Minute), server: now, live: func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationAccessRevoked] = "2026-01-01T00:00:00Z"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cached := sampleNamespace(func(ns *corev1.Namespace) {
				ns.CreationTimestamp, ns.DeletionTimestamp = *ago(time.Hour), c.deleted
			})
			role := brokerRole()
			if c.paused {
				role.Annotations = map[string]string{v1alpha1.AnnotationPauseExpiry: "drill"}
			}
			client := fake.NewClientset(cached, role)
			cache := nscache.New(client, noHandler{})
			if err := cache.Start(t.Context(), func(*corev1.Namespace) {}); err != nil {
				t.Fatal(err)
			}
			if c.live != nil {
				live := cached.DeepCopy()
				c.live(live)
				client.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, live, nil
				})
			}
			if c.fails != nil {
				client.PrependReactor("delete-collection", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, c.fails
				})
			}
			m := &Manager{Client: client, Cache: cache, Log: slog.New(slog.DiscardHandler),
				Contained: func() error { return c.contained }, Now: func() time.Time { return c.server },
				RevokeAfter: 11 * time.Minute}
			again, err := m.Reconcile(t.Context(), "tmp-a")
			if err != nil {
				t.Fatal(err)
			}
			d, elapsed := again.Sub(c.server), time.Since(now)
			late := d < c.again-2*time.Second || d > c.again+2*time.Second+elapsed
			if c.again == 0 && !again.IsZero() || c.again > 0 && late {
				t.Errorf("again in %s, want %s", d, c.again)
			}
			var deleted []string
			for _, a := range client.Actions() {
				if d, ok := a.(clienttesting.DeleteCollectionActionImpl); ok {
					deleted = append(deleted, d.GetResource().Resource+" "+d.GetNamespace()+" "+
						d.GetListRestrictions().Fields.String())
				}
			}
			var want []string
			if c.fails != nil {
				want = []string{"rolebindings tmp-a metadata.name!=tenama:broker"}
			}
			if c.revoked {
				want = []string{"rolebindings tmp-a metadata.name!=tenama:broker", "serviceaccounts tmp-a "}
			}
			if !slices.Equal(deleted, want) {
				t.Errorf("deleted %q, want %q", deleted, want)
			}
			ns, err := client.Tracker().Get(corev1.SchemeGroupVersion.WithResource("namespaces"), "", "tmp-a")
			if err != nil {
				t.Fatal(err)
			}
			at := ns.(*corev1.Namespace).Annotations[v1alpha1.AnnotationAccessRevoked]
			if (at != "") != c.revoked {
				t.Errorf("revoked at %q, want %t", at, c.revoked)
			}
		})
	}
}
