// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// skew is the maximum difference between the clocks of kube-apiservers.
const skew = time.Hour

// authorityLife returns how long an authority is valid: two years for leaves of a week.
func authorityLife(lifetime time.Duration) time.Duration { return 104 * lifetime }

// overlap returns the time from the publication of an authority to its first signature: a
// day for leaves of a week.
func overlap(lifetime time.Duration) time.Duration { return lifetime / 7 }

// authorities is the content of the Secret.
type authorities struct {
	current *authority // signs
	next    *authority // is published and will sign later; may be nil
	old     []byte     // verifies the leaves that it signed; PEM, may be empty
}

// authority is a certificate authority with its key.
type authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
	keyPEM  []byte
}

// parse reads the Secret. An unreadable authority counts as absent.
func parse(data map[string][]byte) *authorities {
	return &authorities{
		current: load(data["ca.crt"], data["ca.key"]),
		next:    load(data["next.crt"], data["next.key"]),
		old:     data["old.crt"],
	}
}

func load(certPEM, keyPEM []byte) *authority {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil
	}
	return &authority{pair.Leaf, key, certPEM, keyPEM}
}

func (a *authorities) data() map[string][]byte {
	d := map[string][]byte{"ca.crt": a.current.certPEM, "ca.key": a.current.keyPEM}
	if a.next != nil {
		d["next.crt"], d["next.key"] = a.next.certPEM, a.next.keyPEM
	}
	if len(a.old) > 0 {
		d["old.crt"] = a.old
	}
	return d
}

// bundle returns all certificates that verify leaves, as PEM.
func (a *authorities) bundle() []byte {
	parts := [][]byte{a.current.certPEM}
	if a.next != nil {
		parts = append(parts, a.next.certPEM)
	}
	return bytes.Join(append(parts, a.old), nil)
}

// advance performs the rotation step that is due at now: it creates the first
// authority, creates the next one after two thirds of the life of the current one,
// promotes it after the overlap, and drops the old one when all its leaves have expired.
// lifetime is that of a leaf.
func (a *authorities) advance(host string, now time.Time, lifetime time.Duration) (changed bool, err error) {
	if !a.current.validAt(now) && a.next.validAt(now) {
		a.current, a.next = a.next, nil
		return true, nil
	}
	if !a.current.validAt(now) {
		if a.current, err = newAuthority(host, now, lifetime); err != nil {
			return false, err
		}
		a.next, a.old = nil, nil
		return true, nil
	}
	switch {
	case a.next != nil && now.After(issued(a.next.cert).Add(overlap(lifetime))):
		a.current, a.next, a.old = a.next, nil, a.current.certPEM
		return true, nil
	case a.next == nil && now.After(renewal(a.current.cert)):
		a.next, err = newAuthority(host, now, lifetime)
		return err == nil, err
	case len(a.old) > 0 && now.After(issued(a.current.cert).Add(2*overlap(lifetime)+lifetime)):
		a.old = nil
		return true, nil
	}
	return false, nil
}

// validAt reports whether there is an authority that kube-apiserver accepts.
func (a *authority) validAt(now time.Time) bool {
	return a != nil && !now.After(a.cert.NotAfter) && !now.Before(a.cert.NotBefore)
}

// signed reports whether the bundle verifies a leaf.
func (a *authorities) signed(leaf *x509.Certificate) bool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.bundle())
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: leaf.NotBefore.Add(skew)})
	return err == nil
}

// issued returns when the broker made a certificate.
func issued(c *x509.Certificate) time.Time { return c.NotBefore.Add(skew) }

// renewal returns when two thirds of a certificate's life are over.
func renewal(c *x509.Certificate) time.Time {
	return issued(c).Add(c.NotAfter.Sub(issued(c)) * 2 / 3)
}

func newAuthority(host string, now time.Time, lifetime time.Duration) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("tenama serving authority", now, authorityLife(lifetime))
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign
	// A stolen key can impersonate the broker, and no other host.
	t.PermittedDNSDomains, t.PermittedDNSDomainsCritical = []string{host}, true
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return load(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), nil
}

func (a *authority) sign(host string, now time.Time, lifetime time.Duration) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(host, now, lifetime)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames = []string{host}
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand never fails
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-skew),
		NotAfter: now.Add(life)}
}
