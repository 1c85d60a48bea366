// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestFormatLifetime verifies that people read from describe and from a dry run until
// when a namespace lives, and how far they can extend it.
func TestFormatLifetime(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	hours, three, ttl := int64(7200), int32(3), int64(5400)
	for name, c := range map[string]struct {
		tn   v1alpha1.TemporaryNamespace
		want string
	}{
		"unbounded": {v1alpha1.TemporaryNamespace{
			Status: v1alpha1.TemporaryNamespaceStatus{Lifetime: v1alpha1.LifetimeUnbounded},
		}, "until deleted"},
		"not created yet": {v1alpha1.TemporaryNamespace{Spec: v1alpha1.TemporaryNamespaceSpec{TTLSeconds: &ttl}}, "1h30m"},
		"damaged":         {v1alpha1.TemporaryNamespace{}, "<unknown>"},
		"bounded": {v1alpha1.TemporaryNamespace{Status: v1alpha1.TemporaryNamespaceStatus{
			ExpirationTimestamp: at(time.Hour), MaximumExpirationTimestamp: at(3 * time.Hour),
		}}, "until 13:00 UTC; extendable until 15:00 UTC"},
		"renewable": {v1alpha1.TemporaryNamespace{Status: v1alpha1.TemporaryNamespaceStatus{
			ExpirationTimestamp: at(time.Hour), MaximumTTLSeconds: &hours, MaximumExtensions: &three, Extensions: 1,
		}}, "until 13:00 UTC; extendable to 2h from now; extended 1 of 3 times"},
	} {
		if got := formatLifetime(&c.tn, now); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestUsageRatio verifies that a quota of zero is not a division by zero, which would
// show an unused quota as full.
func TestUsageRatio(t *testing.T) {
	for _, c := range []struct {
		used, hard string
		want       float64
	}{{"1", "4", 0.25}, {"500m", "1", 0.5}, {"0", "0", 0}, {"1Gi", "1Gi", 1}} {
		if got := usageRatio(resource.MustParse(c.used), resource.MustParse(c.hard)); got != c.want {
			t.Errorf("%s of %s: got %v, want %v", c.used, c.hard, got, c.want)
		}
	}
}
