// SPDX-License-Identifier: Apache-2.0

// Package serving issues and rotates the broker's serving certificate.
//
// A Secret holds one certificate authority for all replicas; each replica signs a leaf
// for itself and keeps it in memory. A new authority is published a day before it
// signs a leaf, and the old one stays published until all its leaves have expired: at
// no time does kube-apiserver receive a certificate that it cannot verify.
package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// SecretName is the name of the authority's Secret; deploy/base creates it empty.
const SecretName = "tenama-serving-cert"

// recheck is the interval between reads of the Secret. It must be far shorter than the
// time from the publication of an authority to its first signature.
const recheck = time.Hour

// Certificate is the broker's serving certificate.
type Certificate struct {
	secrets corev1client.SecretInterface
	host    string
	log     *slog.Logger
	leaf    atomic.Pointer[tls.Certificate]
	bundle  atomic.Pointer[[]byte]
	changed chan struct{}
	mu      sync.Mutex // one renewal at a time
}

// New reads or creates the authority in the Secret, and signs a leaf for host, the DNS
// name SERVICE.NAMESPACE.svc that kube-apiserver calls.
func New(ctx context.Context, secrets corev1client.SecretInterface, host string,
	log *slog.Logger) (*Certificate, error) {
	c := &Certificate{secrets: secrets, host: host, log: log, changed: make(chan struct{}, 1)}
	return c, c.renew(ctx, time.Now())
}

// TLS returns a configuration for http.Server that always uses the latest leaf. The
// server requests a client certificate; package auth verifies it per request.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2", "http/1.1"},
		ClientAuth: tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.leaf.Load(), nil
		},
	}
}

// CABundle returns the certificates that verify the leaves of all replicas, as PEM.
func (c *Certificate) CABundle() []byte { return *c.bundle.Load() }

// NotAfter returns when the leaf expires.
func (c *Certificate) NotAfter() time.Time { return c.leaf.Load().Leaf.NotAfter }

// Changed returns a channel that receives after CABundle has changed.
func (c *Certificate) Changed() <-chan struct{} { return c.changed }

// Run rotates the authority and renews the leaf until ctx is done.
func (c *Certificate) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(recheck):
		}
		if err := c.renew(ctx, time.Now()); err != nil && ctx.Err() == nil {
			c.log.Error("Renewing the serving certificate failed; retrying", "in", recheck, "err", err)
		}
	}
}

// Refresh reads the Secret now, and rotates the authority and renews the leaf if due.
func (c *Certificate) Refresh(ctx context.Context) error { return c.renew(ctx, time.Now()) }

func (c *Certificate) renew(ctx context.Context, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.authorities(ctx, now)
	if err != nil {
		return err
	}
	bundle := a.bundle()
	if old := c.bundle.Swap(&bundle); old != nil && string(*old) != string(bundle) {
		c.log.Info("Serving authority changed")
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
	if l := c.leaf.Load(); l != nil && now.Before(renewal(l.Leaf)) && a.signed(l.Leaf) {
		return nil
	}
	leaf, err := a.current.sign(c.host, now)
	if err != nil {
		return fmt.Errorf("sign the serving certificate: %w", err)
	}
	c.leaf.Store(leaf)
	return nil
}

// authorities reads the Secret and updates it if a rotation is due. If several replicas
// do so at once, the resourceVersion lets one succeed, and the others read again.
func (c *Certificate) authorities(ctx context.Context, now time.Time) (*authorities, error) {
	for range 10 {
		s, err := c.secrets.Get(ctx, SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("read Secret %q: %w", SecretName, err)
		}
		a := parse(s.Data)
		changed, err := a.advance(c.host, now)
		if err != nil {
			return nil, fmt.Errorf("create a serving authority: %w", err)
		}
		if !changed {
			return a, nil
		}
		s = s.DeepCopy()
		s.Data = a.data()
		_, err = c.secrets.Update(ctx, s, metav1.UpdateOptions{})
		if err == nil {
			return a, nil
		}
		if !apierrors.IsConflict(err) {
			return nil, fmt.Errorf("update Secret %q: %w", SecretName, err)
		}
	}
	return nil, errors.New("update Secret \"" + SecretName + "\": too many conflicts")
}
