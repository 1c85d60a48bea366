// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
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
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, second := authorityAt(t, time.Now()), authorityAt(t, time.Now())
		served := issue(t, dir, first, host, time.Now())
		c, err := NewFromFiles(t.Context(), dir, host, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(what string, leaf *x509.Certificate, bundle ...*authority) {
			t.Helper()
			if got := connect(t, c); !got.Equal(leaf) {
				t.Errorf("%s: serves the wrong certificate", what)
			}
			var want []byte
			for _, a := range bundle {
				want = append(want, a.certPEM...)
			}
			if string(c.CABundle()) != string(want) {
				t.Errorf("%s: publishes the wrong authorities", what)
			}
		}
		refresh := func() {
			t.Helper()
			if err := c.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		}
		expect("at first", served, first)
		renewed := issue(t, dir, first, host, time.Now())
		refresh()
		expect("renewed by the same authority", renewed, first)
		other := issue(t, dir, second, host, time.Now())
		time.Sleep(2 * lead)
		refresh()
		expect("another authority", renewed, second, first)
		time.Sleep(2 * lead)
		refresh()
		expect("as long as it is not published", renewed, second, first)
		c.Published(first.certPEM)
		c.Published(c.CABundle())
		refresh()
		expect("when it is published", renewed, second, first)
		time.Sleep(lead)
		refresh()
		expect("and known to each kube-apiserver", other, second)

		if err := os.WriteFile(filepath.Join(dir, "tls.key"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Refresh(t.Context()); err == nil {
			t.Error("a damaged key is accepted")
		}
		expect("with a damaged file", other, second)

		last := issue(t, dir, first, host, time.Now().Add(week))
		time.Sleep(8 * 24 * time.Hour)
		if c.Valid() == nil {
			t.Error("an expired certificate is valid")
		}
		expect("after the machine was suspended", last, first, second)
	})
}

// The broker renews its certificate in time, and at once if kube-apiserver would reject it.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a := authorityAt(t, time.Now())
		issue(t, dir, a, host, time.Now())
		c, err := NewFromFiles(t.Context(), dir, host, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go c.Run(ctx)
		renewed := issue(t, dir, a, host, time.Now())
		time.Sleep(3 * tick)
		if got := connect(t, c); !got.Equal(renewed) {
			t.Error("the certificate is not renewed")
		}
		b := authorityAt(t, time.Now())
		other := issue(t, dir, b, host, time.Now())
		time.Sleep(3 * tick)
		<-c.Changed()
		c.Published(c.CABundle())
		time.Sleep(lead + 3*tick)
		if got := connect(t, c); !got.Equal(other) {
			t.Error("the certificate of another authority is not used")
		}
		stop()
	})
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
