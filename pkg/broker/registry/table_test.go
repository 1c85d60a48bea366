// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// kubectl prints these cells. A namespace that never expires must not look expired, and
// one whose expiry cannot be read must not look as if it never expired.
func TestTimesInTable(t *testing.T) {
	for name, c := range map[string]struct {
		change         func(*corev1.Namespace)
		left, at, most string
	}{
		"fixed": {nil, "50m", "2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z"},
		"expired": {func(ns *corev1.Namespace) { ns.Annotations[v1alpha1.AnnotationTTL] = "60" },
			"expired", "2026-11-20T12:01:00Z", "2026-11-20T14:00:00Z"},
		"renewable": {func(ns *corev1.Namespace) { ns.Annotations[v1alpha1.AnnotationLifetime] = "Renewable" },
			"50m", "2026-11-20T13:00:00Z", "now+120m"},
		"unbounded": {func(ns *corev1.Namespace) { ns.Annotations[v1alpha1.AnnotationLifetime] = "Unbounded" },
			never, never, never},
		"unreadable": {func(ns *corev1.Namespace) { ns.Annotations[v1alpha1.AnnotationTTL] = "soon" },
			unknown, unknown, unknown},
	} {
		tn := fromNamespace(sampleNamespace("tmp-a", c.change))
		got := []string{left(tn, born.Add(10*time.Minute)), at(tn, tn.Status.ExpirationTimestamp), most(tn)}
		if diff := cmp.Diff([]string{c.left, c.at, c.most}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A client with --no-headers gets no columns, and a list keeps the token to continue:
// without it, kubectl would print the first page alone.
func TestConvertToTable(t *testing.T) {
	r := &Registry{Lifecycle: &lifecycle.Manager{Now: time.Now}, Classes: outdated("current")}
	one := fromNamespace(sampleNamespace("tmp-a", nil))
	list := &v1alpha1.TemporaryNamespaceList{ListMeta: metav1.ListMeta{ResourceVersion: "9", Continue: "more"},
		Items: []v1alpha1.TemporaryNamespace{*one, *one}}
	table, err := r.ConvertToTable(t.Context(), list, nil)
	if err != nil || len(table.Rows) != 2 || table.ResourceVersion != "9" || table.Continue != "more" {
		t.Fatalf("got %+v, %v", table, err)
	}
	if len(table.ColumnDefinitions) != len(table.Rows[0].Cells) {
		t.Errorf("%d columns, %d cells", len(table.ColumnDefinitions), len(table.Rows[0].Cells))
	}
	table, err = r.ConvertToTable(t.Context(), one, &metav1.TableOptions{NoHeaders: true})
	if err != nil || len(table.Rows) != 1 || len(table.ColumnDefinitions) != 0 || table.ResourceVersion != "7" {
		t.Errorf("got %+v, %v", table, err)
	}
	if _, err := r.ConvertToTable(t.Context(), &metav1.Status{}, nil); err == nil {
		t.Error("a Status has a table")
	}
}

type outdated string

func (outdated) Class(context.Context, string) (*policyv1alpha1.NamespaceClass, error) {
	return nil, nil
}
func (o outdated) Outdated(string, string) string { return string(o) }
