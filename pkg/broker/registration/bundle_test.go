// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// certificate returns a certificate that expires at a time, as PEM.
func certificate(t *testing.T, expires time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: expires}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Replicas that do not yet know the same authorities must not remove each other's:
// kube-apiserver could not verify half of the connections.
func TestMerge(t *testing.T) {
	now := time.Now()
	a, b, expired := certificate(t, now.Add(24*time.Hour)), certificate(t, now.Add(24*time.Hour)),
		certificate(t, now.Add(-time.Minute))
	damaged := []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	for name, c := range map[string]struct{ published, own, want []byte }{
		"nothing":                    {nil, a, a},
		"the same":                   {a, a, a},
		"another's":                  {b, a, join(a, b)},
		"both, in another order":     {join(b, a), a, join(b, a)},
		"twice":                      {join(a, a, b, b), a, join(a, a, b, b)},
		"without a last line break":  {b, bytes.TrimSpace(a), join(a, b)},
		"more of its own":            {a, join(a, b), join(a, b)},
		"expired":                    {expired, a, a},
		"expired, beside another's":  {join(expired, b), a, join(a, b)},
		"no certificate":             {[]byte("x"), a, a},
		"damaged, after another's":   {join(b, damaged), a, join(a, b)},
		"its own is still published": {join(a, b), join(b), join(a, b)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := new(others).merge(c.published, c.own, now, now); !bytes.Equal(got, c.want) {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// What no replica needs any more is removed after an hour, for each replica from when it first
// saw it; a replica that still needs it puts it back.
func TestMergeForgets(t *testing.T) {
	start := time.Now()
	a, b := certificate(t, start.Add(24*time.Hour)), certificate(t, start.Add(24*time.Hour))
	var r, s others // of two replicas
	published := r.merge(b, a, start, start)
	if next := r.next(); !next.Equal(start.Add(keepOthers)) {
		t.Errorf("it looks again at %s", next)
	}
	later := start.Add(keepOthers - time.Second)
	published = r.merge(published, a, later, later)
	if !bytes.Equal(published, join(a, b)) {
		t.Error("removed too early")
	}
	later = start.Add(keepOthers)
	published = r.merge(published, a, later, later)
	if !bytes.Equal(published, a) || !r.next().IsZero() {
		t.Error("not removed")
	}
	published = s.merge(published, b, later, later)
	published = r.merge(published, a, later, later)
	if !bytes.Equal(published, join(b, a)) {
		t.Error("what another replica needs is removed")
	}
	later = later.Add(2 * keepOthers)
	if got := r.merge(published, a, later, later); !bytes.Equal(got, published) || !r.next().IsZero() {
		t.Error("what was put back is removed again")
	}
	if got := r.merge(published, a, later, start.Add(48*time.Hour)); !bytes.Equal(got, a) {
		t.Error("an expired certificate stays")
	}
}
