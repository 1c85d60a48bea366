// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issue writes a certificate as cert-manager does.
func issue(t *testing.T, dir string, a *authority, host string, now time.Time) *x509.Certificate {
	t.Helper()
	leaf, err := a.sign(host, now, week)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"ca.crt":  a.certPEM,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return leaf.Leaf
}

// connect returns the certificate that a client receives.
func connect(t *testing.T, c *Certificate) *x509.Certificate {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		_ = tls.Server(b, c.TLS()).Handshake()
		b.Close()
	}()
	client := tls.Client(a, &tls.Config{InsecureSkipVerify: true}) // the test looks at it
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0]
}

func authorityAt(t *testing.T, now time.Time) *authority {
	t.Helper()
	a, err := newAuthority(host, now, week)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A certificate of cert-manager is used as soon as kube-apiserver can verify it, and no
// sooner: not a moment may have a certificate that it rejects.
func TestFiles(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	first, second := authorityAt(t, now), authorityAt(t, now)
	served := issue(t, dir, first, host, now)
	c, err := NewFromFiles(t.Context(), dir, host, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, leaf *x509.Certificate, bundle []byte) {
		t.Helper()
		if got := connect(t, c); !got.Equal(leaf) {
			t.Errorf("%s: serves the wrong certificate", what)
		}
		if string(c.CABundle()) != string(bundle) {
			t.Errorf("%s: publishes the wrong authority", what)
		}
	}
	refresh := func() {
		t.Helper()
		if err := c.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	expect("at first", served, first.certPEM)
	renewed := issue(t, dir, first, host, now)
	refresh()
	expect("renewed by the same authority", renewed, first.certPEM)
	other := issue(t, dir, second, host, now)
	refresh()
	expect("the authority is published", renewed, second.certPEM)
	if c.interval() > lead {
		t.Errorf("the next renewal is after %s", c.interval())
	}
	now = now.Add(lead)
	refresh()
	expect("and then used", other, second.certPEM)

	if err := os.WriteFile(filepath.Join(dir, "tls.key"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(t.Context()); err == nil {
		t.Error("a damaged key is accepted")
	}
	expect("with a damaged file", other, second.certPEM)

	last := issue(t, dir, first, host, now.Add(week))
	now = now.Add(8 * 24 * time.Hour)
	expect("after the machine was suspended", last, first.certPEM)
}

// At the start, a certificate that kube-apiserver would reject is reported: registered, it
// would block the deletion of every namespace.
func TestRejectedFiles(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		write func(dir string)
		want  string
	}{
		"expired": {func(d string) {
			issue(t, d, authorityAt(t, now.Add(-2*week)), host, now.Add(-2*week))
		}, "expired"},
		"not valid yet": {func(d string) {
			issue(t, d, authorityAt(t, now), host, now.Add(2*time.Hour))
		}, "not yet valid"},
		"for another host": {func(d string) { issue(t, d, authorityAt(t, now), "other.svc", now) }, "other.svc"},
		"none":             {func(string) {}, "tls.crt: no such file"},
		"of another authority": {func(d string) {
			issue(t, d, authorityAt(t, now), host, now)
			_ = os.WriteFile(filepath.Join(d, "ca.crt"), authorityAt(t, now).certPEM, 0o600)
		}, "unknown authority"},
		"no authority": {func(d string) {
			issue(t, d, authorityAt(t, now), host, now)
			_ = os.Remove(filepath.Join(d, "ca.crt"))
		}, "ca.crt: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.write(dir)
			_, err := NewFromFiles(t.Context(), dir, host, func() time.Time { return now }, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
