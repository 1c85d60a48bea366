// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// A namespace that is extended for ever, with long reasons, must not grow for ever, and must
// keep the latest extensions, whatever it had before.
func TestHistoryIsBounded(t *testing.T) {
	for name, row := range map[string]struct {
		before       string
		user, reason string
		extensions   int
		want         int
	}{
		"the first":           {"", "alice", "demo", 1, 1},
		"many":                {"", "alice", "demo", 25, maxHistory},
		"long reasons":        {"", "alice", strings.Repeat("\u00e9", v1alpha1.MaxReason), 25, 6},
		"a very long user":    {"", strings.Repeat("u", 10_000), "", 25, maxHistory},
		"unreadable before":   {`{"time":`, "alice", "", 1, 1},
		"another type before": {`["x"]`, "alice", "", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
				v1alpha1.AnnotationHistory: row.before}}}
			at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			for i := range row.extensions {
				record(ns, v1alpha1.ExtensionRecord{Time: metav1.NewTime(at.Add(time.Duration(i) * time.Minute)),
					User: row.user, Reason: row.reason, ExpirationTimestamp: metav1.NewTime(at.Add(time.Hour))})
			}
			got := fromNamespace(ns).Status.History
			if n := len(ns.Annotations[v1alpha1.AnnotationHistory]); n > maxHistoryBytes {
				t.Errorf("%d bytes", n)
			}
			if len(got) != row.want {
				t.Fatalf("%d extensions are kept, want %d", len(got), row.want)
			}
			latest, last := got[len(got)-1], at.Add(time.Duration(row.extensions-1)*time.Minute)
			if !latest.Time.Time.Equal(last) || latest.Reason != row.reason || !strings.HasPrefix(row.user, latest.User) {
				t.Errorf("the last one is %s", fmt.Sprint(latest))
			}
		})
	}
}

// A Namespace whose history was edited by hand shows none, and the rest of it is intact.
func TestHistoryUnreadable(t *testing.T) {
	tn := fromNamespace(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
		v1alpha1.AnnotationHistory: `[{"time":"2026-11-01T12:00:00Z","user":"alice"},7]`,
		v1alpha1.AnnotationReason:  "demo",
	}}})
	if tn.Status.History != nil || tn.Spec.Reason != "demo" {
		t.Errorf("%+v", tn)
	}
}
