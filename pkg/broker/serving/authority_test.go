// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/x509"
	"testing"
	"time"
)

const (
	host = "tenama-broker.tenama-system.svc"
	week = 7 * 24 * time.Hour
)

// Over ten years, with every replica renewing at its own pace, kube-apiserver must
// never receive a certificate that the published bundle does not verify.
func TestRotationLeavesNoGap(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	secret := map[string][]byte{}
	type replica struct {
		leaf   *x509.Certificate
		bundle []byte // that it last published
	}
	replicas := make([]replica, 3)
	var published []byte // the bundle of kube-apiserver
	var authorities int
	for step := range 10 * 365 * 4 {
		for i := range replicas {
			if step > 3 && (step+i)%3 != 0 { // a replica pauses for up to 18 hours
				continue
			}
			a := parse(secret)
			changed, err := a.advance(host, now, week)
			if err != nil {
				t.Fatal(err)
			}
			if changed {
				if len(a.bundle()) > len(secret["ca.crt"])+len(secret["next.crt"])+len(secret["old.crt"]) {
					authorities++
				}
				secret = a.data()
			}
			published = a.bundle()
			r := &replicas[i]
			r.bundle = published
			if r.leaf == nil || !now.Before(renewal(r.leaf)) || !a.signed(r.leaf) {
				pair, err := a.current.sign(host, now, week)
				if err != nil {
					t.Fatal(err)
				}
				r.leaf = pair.Leaf
			}
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(published)
		for i, r := range replicas {
			if _, err := r.leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: now}); err != nil {
				t.Fatalf("%s, replica %d: %v", now, i, err)
			}
		}
		now = now.Add(6 * time.Hour)
	}
	if authorities < 5 {
		t.Errorf("%d authorities in ten years: nothing was rotated", authorities)
	}
}

// A stolen key of the authority can impersonate the broker only.
func TestAuthorityIsForOneHost(t *testing.T) {
	now := time.Now()
	a, err := newAuthority(host, now, week)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.sign("kubernetes.default.svc", now, week)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "kubernetes.default.svc"}); err == nil {
		t.Error("it signs for other hosts")
	}
}

// An emptied or damaged Secret is filled again, and so is one whose authority kube-apiserver
// does not accept now: it expired while the cluster was off, or was made by a clock that
// was ahead.
func TestDamagedSecret(t *testing.T) {
	made := func(at time.Time) map[string][]byte {
		a, err := newAuthority(host, at, week)
		if err != nil {
			t.Fatal(err)
		}
		return (&authorities{current: a}).data()
	}
	for name, data := range map[string]map[string][]byte{
		"nil": nil, "empty": {}, "garbage": {"ca.crt": []byte("x"), "ca.key": []byte("y")},
		"expired": made(time.Now().Add(-105 * week)), "not valid yet": made(time.Now().Add(2 * time.Hour)),
	} {
		a := parse(data)
		changed, err := a.advance(host, time.Now(), week)
		if err != nil || !changed || a.current == nil {
			t.Errorf("%s: %t, %v", name, changed, err)
		}
	}
}
