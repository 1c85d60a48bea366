// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// TestExpiresSoon verifies that users are warned early enough before the expiry, but
// not from the creation on.
func TestExpiresSoon(t *testing.T) {
	born := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	lease := int64(120)
	for name, c := range map[string]struct {
		life, left time.Duration
		lease      *int64
		want       bool
	}{
		"two hours, one to go":    {2 * time.Hour, time.Hour, nil, false},
		"two hours, 14 min to go": {2 * time.Hour, 14 * time.Minute, nil, true},
		"ten minutes, nine to go": {10 * time.Minute, 9 * time.Minute, nil, false},
		"ten minutes, two to go":  {10 * time.Minute, 2 * time.Minute, nil, true},
		"over":                    {time.Hour, -time.Minute, nil, true},
		"held by a lease":         {2 * time.Hour, time.Minute, &lease, false},
	} {
		tn := &TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-a", CreationTimestamp: metav1.NewTime(born)}}
		tn.Spec.LeaseDurationSeconds = c.lease
		at := born.Add(c.life)
		tn.Status.ExpirationTimestamp = &metav1.Time{Time: at}
		if got := ExpiresSoon(tn, at.Add(-c.left)); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// TestExpiryWarning verifies that the warning suggests only actions that the class
// allows.
func TestExpiryWarning(t *testing.T) {
	born := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := metav1.NewTime(born.Add(time.Hour))
	later := metav1.NewTime(born.Add(3 * time.Hour))
	two, week := int32(2), int64(7*24*3600)
	for name, c := range map[string]struct {
		status TemporaryNamespaceStatus
		want   string
	}{
		"fixed": {TemporaryNamespaceStatus{MaximumExpirationTimestamp: &later},
			"; to keep it, until 2026-11-20T15:00:00Z at most: kubectl tenama extend tmp-a"},
		"at most": {TemporaryNamespaceStatus{MaximumExpirationTimestamp: &at}, "; that is the most its class allows"},
		"renewable": {TemporaryNamespaceStatus{MaximumTTLSeconds: &week},
			"; to keep it, for 7d from now at most: kubectl tenama extend tmp-a"},
		"often": {TemporaryNamespaceStatus{MaximumExpirationTimestamp: &later, MaximumExtensions: &two, Extensions: 2},
			"; it cannot be extended any more"},
	} {
		tn := &TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-a", CreationTimestamp: metav1.NewTime(born)},
			Status: c.status}
		tn.Status.ExpirationTimestamp = &at
		got := ExpiryWarning(tn, at.Add(-9*time.Minute))
		if want := `namespace "tmp-a" expires in 9m, at 2026-11-20T13:00:00Z` + c.want; got != want {
			t.Errorf("%s: got  %s\nwant %s", name, got, want)
		}
		// Parse the header as a client does.
		header, err := utilnet.NewWarningHeader(299, ExpiryWarningAgent(tn), got)
		parsed, _ := utilnet.ParseWarningHeaders([]string{header})
		if err != nil || len(parsed) != 1 {
			t.Fatalf("%s: header %q: %v", name, header, err)
		}
		if of, ok := ExpiringName(parsed[0].Agent); !ok || of != "tmp-a" || parsed[0].Text != got {
			t.Errorf("%s: it is not recognised: %q, %t", name, of, ok)
		}
	}
	for _, other := range []string{"", "-", "kubernetes", "expiring.tenama.dev"} {
		if _, ok := ExpiringName(other); ok {
			t.Errorf("a warning of %q is taken for one of an expiry", other)
		}
	}
}
