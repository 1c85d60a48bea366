// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

var namespaces = schema.GroupResource{Resource: "namespaces"}

// An error that passes must not delete the namespace, because a repeated request would
// complete it; one that stays must, because the name and its budget would stay taken.
func TestPermanent(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"denied":                {apierrors.NewForbidden(namespaces, "a", errors.New("no")), true},
		"wrapped":               {fmt.Errorf("create: %w", apierrors.NewForbidden(namespaces, "a", errors.New("no"))), true},
		"invalid":               {apierrors.NewInvalid(schema.GroupKind{}, "a", nil), true},
		"a name in use":         {&guardrails.OccupiedError{Kind: "ResourceQuota", Name: "q"}, true},
		"the kind is gone":      {apierrors.NewNotFound(namespaces, "a"), true},
		"a full kube-apiserver": {apierrors.NewTooManyRequests("wait", 1), false},
		"a timeout":             {context.DeadlineExceeded, false},
		"no answer":             {errors.New("connection refused"), false},
		"a conflict":            {apierrors.NewConflict(namespaces, "a", errors.New("changed")), false},
		"denied until the deadline": {fmt.Errorf("%w while kube-apiserver answered: %v", context.DeadlineExceeded,
			apierrors.NewForbidden(namespaces, "a", errors.New("no"))), false},
	} {
		if got := permanent(c.err); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// A rejected namespace must stop counting in the budgets at once. But a namespace that
// another replica has made ready meanwhile is in use, and must not be deleted.
func TestReject(t *testing.T) {
	full := apierrors.NewForbidden(namespaces, "tmp-a", errors.New("full"))
	deleted := metav1.Now()
	for name, c := range map[string]struct {
		now                    func(*corev1.Namespace) // the namespace in the cluster, other than the one that was created
		conflict               bool
		ready, marked, deleted bool
	}{
		"unchanged":         {nil, false, false, true, true},
		"changed meanwhile": {func(ns *corev1.Namespace) { ns.Labels["a"] = "b" }, true, false, true, true},
		"ready by a replica": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationReady] = "true"
		}, true, true, false, false},
		"deleted by hand": {func(ns *corev1.Namespace) {
			ns.DeletionTimestamp, ns.ResourceVersion = &deleted, "8"
		}, true, false, false, false},
		"another of this name": {func(ns *corev1.Namespace) { ns.UID = "uid-other" }, true, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			created := sampleNamespace(func(ns *corev1.Namespace) { delete(ns.Annotations, v1alpha1.AnnotationReady) })
			now := created.DeepCopy()
			if c.now != nil {
				c.now(now)
			}
			client := fake.NewClientset(now)
			var marked, gone bool
			first := c.conflict
			client.PrependReactor("update", "namespaces", func(a clienttesting.Action) (bool, runtime.Object, error) {
				if first {
					first = false
					return true, nil, apierrors.NewConflict(namespaces, "tmp-a", errors.New("changed"))
				}
				ns := a.(clienttesting.UpdateAction).GetObject().(*corev1.Namespace)
				marked = marked || ns.Annotations[v1alpha1.AnnotationRefused] == "true"
				return true, ns, nil
			})
			client.PrependReactor("delete", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
				if !marked {
					t.Error("it is deleted before it stops counting")
				}
				gone = true
				return true, nil, nil
			})
			m := &Manager{Client: client, Log: slog.New(slog.DiscardHandler)}
			ready, err := m.reject(t.Context(), created, full)
			if (ready != nil) != c.ready || !c.ready && !errors.Is(err, full) || c.ready && err != nil {
				t.Errorf("got %v, %v, want ready %t", ready, err, c.ready)
			}
			if marked != c.marked || gone != c.deleted {
				t.Errorf("marked %t, deleted %t, want %t, %t", marked, gone, c.marked, c.deleted)
			}
		})
	}
}
