// SPDX-License-Identifier: Apache-2.0

// Package serving provides the broker's serving certificate, and replaces it in time.
//
// By default a Secret holds one certificate authority for all replicas; each replica signs
// a leaf for itself and keeps it in memory. A new authority is published long before it
// signs a leaf, and the old one stays published until all its leaves have expired: at no
// time does kube-apiserver receive a certificate that it cannot verify. Or another program,
// such as cert-manager, keeps a certificate in a directory, and the broker follows it.
//
// kube-apiserver verifies the certificates by its own clock, so all times are that clock's.
package serving

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/cert"
)

// Certificate is the broker's serving certificate.
type Certificate struct {
	log     *slog.Logger
	now     func() time.Time
	source  source
	leaf    atomic.Pointer[tls.Certificate]
	bundle  atomic.Pointer[[]byte]
	changed chan struct{}

	mu      sync.Mutex // one renewal at a time
	before  []byte     // the bundle before the present one, or the first
	since   time.Time  // when the present one was read
	waiting bool       // for lead, with a new leaf
}

// lead is how long a bundle is published before a leaf is used that only this bundle
// verifies: each kube-apiserver has to learn of it first.
const lead = time.Minute

// source is where a certificate comes from.
type source interface {
	// renew returns the leaf to serve with, and the bundle to publish, which verifies it. old
	// is the leaf in use, nil at first; it is returned unless another is due.
	renew(ctx context.Context, now time.Time, old *tls.Certificate) (leaf *tls.Certificate, bundle []byte, err error)
	// interval is the time between two calls of renew.
	interval() time.Duration
}

// New reads or creates the authority in the Secret, and signs a leaf for host, the DNS
// name SERVICE.NAMESPACE.svc that kube-apiserver calls. A leaf is valid for lifetime; the
// authority for 104 times as long, and it is published a seventh of it before it signs.
func New(ctx context.Context, secrets corev1client.SecretInterface, host string, lifetime time.Duration,
	now func() time.Time, log *slog.Logger) (*Certificate, error) {
	return start(ctx, &secret{secrets, host, lifetime}, now, log)
}

// NewFromFiles reads the certificate for host from a directory. See files.
func NewFromFiles(ctx context.Context, dir, host string, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	return start(ctx, &files{dir: dir, host: host}, now, log)
}

func start(ctx context.Context, s source, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{source: s, now: now, log: log, changed: make(chan struct{}, 1)}
	return c, c.Refresh(ctx)
}

// TLS returns a configuration for http.Server that always uses the latest leaf. The
// server requests a client certificate; package auth verifies it per request.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2", "http/1.1"},
		ClientAuth: tls.RequestClientCert,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			// A machine that was suspended has not renewed it in time.
			if c.now().After(c.NotAfter()) {
				ctx, cancel := context.WithTimeout(hello.Context(), 5*time.Second)
				defer cancel()
				if err := c.Refresh(ctx); err != nil {
					return nil, fmt.Errorf("renew the expired serving certificate: %w", err)
				}
			}
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

// Run renews the certificate until ctx is done.
func (c *Certificate) Run(ctx context.Context) {
	var last string
	for {
		wait := c.interval()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		err := c.Refresh(ctx)
		switch {
		case err == nil:
			last = ""
		case ctx.Err() == nil && err.Error() != last:
			last = err.Error()
			c.log.Error("Renewing the serving certificate failed; retrying", "in", wait.String(), "expires", c.NotAfter(),
				"err", err)
		}
	}
}

func (c *Certificate) interval() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		return min(lead, c.source.interval())
	}
	return c.source.interval()
}

// Refresh renews the certificate now, if that is due.
func (c *Certificate) Refresh(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, old := c.now(), c.leaf.Load()
	leaf, bundle, err := c.source.renew(ctx, now, old)
	if err != nil {
		return err
	}
	if published := c.bundle.Load(); published == nil || !bytes.Equal(*published, bundle) {
		c.before, c.since = bundle, now
		c.bundle.Store(&bundle)
		if published != nil {
			c.before = *published
			c.log.Info("Serving authority changed")
			select {
			case c.changed <- struct{}{}:
			default:
			}
		}
	}
	c.waiting = old != nil && leaf != old && now.Before(old.Leaf.NotAfter) && now.Before(c.since.Add(lead)) &&
		verify(c.before, leaf, "", now) != nil
	if c.waiting || leaf == old {
		return nil
	}
	c.leaf.Store(leaf)
	if old != nil {
		c.log.Info("Serving certificate renewed", "expires", leaf.Leaf.NotAfter)
	}
	return nil
}

// verify returns nil if the certificates of a bundle verify a leaf, as kube-apiserver does
// it. host may be empty.
func verify(bundle []byte, leaf *tls.Certificate, host string, now time.Time) error {
	roots, err := cert.ParseCertsPEM(bundle)
	if err != nil {
		return err
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: host, CurrentTime: now}
	for _, r := range roots {
		o.Roots.AddCert(r)
	}
	for _, der := range leaf.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("parse an intermediate certificate: %w", err)
		}
		o.Intermediates.AddCert(c)
	}
	_, err = leaf.Leaf.Verify(o)
	return err
}
