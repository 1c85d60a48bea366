// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

const week = 7 * 24 * time.Hour

// A broker whose certificate expired while it was off says so, is not registered, and blocks
// the deletion of no namespace; it serves as soon as there is another one. Each authority
// that follows is used without a request that fails.
func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	const host = "tenama-broker.tenama-system.svc"
	dir := t.TempDir()
	write := func(made time.Time) *testenv.Authority {
		t.Helper()
		a, err := testenv.NewAuthority(host, made, week)
		if err != nil {
			t.Fatal(err)
		}
		crt, key, err := a.Sign(host, made, week)
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"tls.crt": crt, "tls.key": key, "ca.crt": a.CertPEM} {
			if err := os.WriteFile(filepath.Join(dir, name+".new"), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
			if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		return a
	}
	write(time.Now().Add(-2 * week))
	b, err := c.LaunchBroker(t.Context(), port, "broker-0", "--cert-dir="+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Kill()
	if err := testenv.Eventually(time.Minute, func() error {
		if out, _ := b.Output(); !strings.Contains(out, "certificate has expired") {
			return errors.New("the log does not say why: " + out)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if out, err := c.Kubectl("admin", "get", "apiservice", "v1alpha1.tenama.dev"); err == nil {
		t.Errorf("it is registered with an expired certificate: %s", out)
	}
	write(time.Now())
	if err := c.WaitServed(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		rc := c.Client("alice").Discovery().RESTClient()
		readers.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
				err := rc.Get().AbsPath("/apis/tenama.dev/v1alpha1/temporarynamespaces").MaxRetries(0).Do(ctx).Error()
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	next := write(time.Now())
	readers.Go(func() { // as a kube-apiserver that has no connection yet
		for known := false; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			bundle, err := publishedBundle(ctx, c)
			if err != nil {
				continue
			}
			leaf, err := verifyServer(b, bundle, host)
			if err != nil {
				t.Error(err)
				continue
			}
			if !known && strings.Contains(string(bundle), string(next.CertPEM)) {
				known = true // another kube-apiserver need not know it yet
				if leaf.CheckSignatureFrom(next.Certificate) == nil {
					t.Error("the certificate of an authority is used as soon as that is published")
				}
			}
		}
	})
	for _, event := range []string{"Serving authority changed", "Serving certificate renewed"} {
		if err := testenv.Eventually(3*time.Minute, func() error { return logged(b, event, 1) }); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(time.Second) // with the new certificate
	stop()
	readers.Wait()
	if err := testenv.Eventually(time.Minute, func() error {
		bundle, err := publishedBundle(t.Context(), c)
		if err != nil {
			return err
		}
		if !strings.Contains(string(bundle), string(next.CertPEM)) {
			return errors.New("the new authority is not published")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// publishedBundle returns the authorities with which kube-apiserver verifies brokers.
func publishedBundle(ctx context.Context, c *testenv.Cluster) ([]byte, error) {
	raw, err := c.Client("admin").Discovery().RESTClient().Get().
		AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.tenama.dev").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var s struct {
		Spec struct{ CABundle []byte }
	}
	err = json.Unmarshal(raw, &s)
	return s.Spec.CABundle, err
}

// verifyServer returns the certificate of a broker, or an error if the authorities do not
// verify it.
func verifyServer(b *testenv.Broker, bundle []byte, host string) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.96.0.10:%d", b.Port), &tls.Config{RootCAs: roots, ServerName: host})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}
