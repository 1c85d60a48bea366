// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExpiry(t *testing.T) {
	born := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		life Lifetime
		want time.Duration // from birth
	}{
		"TTL alone": {Lifetime{TTL: time.Hour, MaximumTTL: 10 * time.Hour}, time.Hour},
		"extended": {Lifetime{TTL: time.Hour, MaximumTTL: 10 * time.Hour,
			ExtendUntil: born.Add(3 * time.Hour)}, 3 * time.Hour},
		"an extension that is less": {Lifetime{TTL: 4 * time.Hour, MaximumTTL: 10 * time.Hour,
			ExtendUntil: born.Add(3 * time.Hour)}, 4 * time.Hour},
		"renewed beyond": {Lifetime{Type: LifetimeRenewable, TTL: time.Hour, MaximumTTL: 10 * time.Hour,
			ExtendUntil: born.Add(300 * time.Hour)}, 300 * time.Hour},
		"the ceiling holds": {Lifetime{TTL: time.Hour, MaximumTTL: 10 * time.Hour,
			ExtendUntil: born.Add(300 * time.Hour)}, 10 * time.Hour},
		"a lease without a renewal": {Lifetime{TTL: 10 * time.Hour, MaximumTTL: 10 * time.Hour, Lease: time.Minute},
			time.Minute},
		"a renewed lease": {Lifetime{TTL: 10 * time.Hour, MaximumTTL: 10 * time.Hour, Lease: time.Minute,
			Renewed: born.Add(time.Hour)}, time.Hour + time.Minute},
		"a lease of the unbounded": {Lifetime{Type: LifetimeUnbounded, Lease: time.Minute, Renewed: born.Add(time.Hour)},
			time.Hour + time.Minute},
		"a lease and a ceiling": {Lifetime{TTL: time.Hour, MaximumTTL: 10 * time.Hour, Lease: time.Minute,
			Renewed: born.Add(99 * time.Hour)}, time.Hour},
		"the ceiling holds for TTLs": {Lifetime{TTL: 20 * time.Hour, MaximumTTL: 10 * time.Hour}, 10 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.life.Expiry(born).Sub(born); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestUnbounded verifies that an Unbounded namespace never expires, and that an unknown
// lifetime type is an error, so that the namespace is kept.
func TestUnbounded(t *testing.T) {
	read := func(kind string) (Lifetime, error) {
		return ReadLifetime(&metav1.ObjectMeta{Annotations: map[string]string{AnnotationLifetime: kind}})
	}
	if l, err := read("Unbounded"); err != nil || !l.Expiry(time.Now()).IsZero() || !l.Ceiling(time.Now()).IsZero() {
		t.Errorf("it expires: %+v, %v", l, err)
	}
	for _, kind := range []string{"Eternal", "Fixed", "Renewable", ""} { // the last three have a TTL
		if _, err := read(kind); err == nil {
			t.Errorf("%q is read without an error", kind)
		}
	}
}

// FuzzReadLifetime verifies that unreadable annotations are an error, so that the
// namespace is kept, and never result in an expiry in the past.
func FuzzReadLifetime(f *testing.F) {
	f.Add("3600", "7200", "2026-11-20T12:00:00Z", "120", "2026-11-20T12:00:00Z")
	f.Add("-1", "9223372036854775807", "soon", "", "soon")
	f.Add("", "0", "", "0", "9999-12-31T23:59:59Z")
	f.Fuzz(func(t *testing.T, ttl, maximum, until, lease, renewed string) {
		m := &metav1.ObjectMeta{Annotations: map[string]string{
			AnnotationTTL: ttl, AnnotationMaximumTTL: maximum, AnnotationExtendUntil: until, AnnotationLease: lease,
			AnnotationRenewed: renewed,
		}}
		life, err := ReadLifetime(m)
		if err != nil {
			return
		}
		born := time.Now()
		if at := life.Expiry(born); !at.After(born) || at.After(born.Add(time.Duration(MaxTTLSeconds)*time.Second)) {
			t.Errorf("%q, %q, %q, %q, %q: expires %s from birth", ttl, maximum, until, lease, renewed, at.Sub(born))
		} else if at.After(life.Deadline(born)) {
			t.Errorf("%q, %q: a lease reaches beyond the rest of the lifetime", lease, renewed)
		}
		if want, _ := strconv.ParseInt(ttl, 10, 64); life.TTL != time.Duration(want)*time.Second {
			t.Errorf("TTL %q became %s", ttl, life.TTL)
		}
	})
}

func TestOwnerHash(t *testing.T) {
	if a, b := OwnerHash("alice"), OwnerHash("alice "); a == b || len(a) != 32 {
		t.Errorf("got %q and %q", a, b)
	}
}
