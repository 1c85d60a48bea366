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
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// lead is how long an authority is published before a leaf is used that no authority from
// before verifies: each kube-apiserver has to learn of it first.
const lead = time.Minute

// Certificate is the broker's serving certificate.
type Certificate struct {
	log     *slog.Logger
	now     func() time.Time
	source  source
	leaf    atomic.Pointer[tls.Certificate]
	bundle  atomic.Pointer[[]byte] // to publish: latest and known
	changed chan struct{}
	wake    chan struct{} // receives when a leaf waits for its authority to be published

	mu        sync.Mutex // guards the fields below, and one renewal at a time
	latest    []byte     // bundle of the source
	known     []byte     // bundle that was published for lead; verifies the leaf
	published time.Time  // local, when latest was first seen published; zero before
	tried     time.Time  // local, of the last renewal for a handshake
}

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
// now returns the time of kube-apiserver.
func New(ctx context.Context, secrets corev1client.SecretInterface, host string, lifetime time.Duration,
	now func() time.Time, log *slog.Logger) (*Certificate, error) {
	return start(ctx, &secret{secrets, host, lifetime}, now, log)
}

// NewFromFiles reads the certificate for host from a directory. See files.
func NewFromFiles(ctx context.Context, dir, host string, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	return start(ctx, &files{dir: dir, host: host}, now, log)
}

func start(ctx context.Context, s source, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{source: s, now: now, log: log, changed: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
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
			// A machine that was suspended has not renewed it in time, and its idea of
			// kube-apiserver's time is old. A wrong local clock costs a renewal a second.
			if wall := time.Now().Round(0); c.Valid() != nil || wall.After(c.NotAfter()) {
				c.renewNow(hello.Context())
			}
			return c.leaf.Load(), nil
		},
	}
}

// renewNow renews the certificate during a handshake, unless that was tried a moment ago.
func (c *Certificate) renewNow(ctx context.Context) {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if time.Since(c.tried) < time.Second {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.refresh(ctx); err != nil {
		c.log.Error("Renewing the expired serving certificate failed", "err", err)
	}
	c.tried = time.Now()
}

// CABundle returns the certificates that verify the leaves of all replicas, as PEM.
func (c *Certificate) CABundle() []byte { return *c.bundle.Load() }

// NotAfter returns when the leaf expires.
func (c *Certificate) NotAfter() time.Time { return c.leaf.Load().Leaf.NotAfter }

// Valid returns an error if kube-apiserver would not accept the leaf now.
func (c *Certificate) Valid() error {
	leaf, now := c.leaf.Load().Leaf, c.now()
	if now.After(leaf.NotAfter) {
		return fmt.Errorf("the serving certificate expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("the serving certificate is valid from %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// Changed returns a channel that receives after CABundle has changed.
func (c *Certificate) Changed() <-chan struct{} { return c.changed }

// Published tells which bundle kube-apiserver has now.
func (c *Certificate) Published(bundle []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.published.IsZero() && contains(bundle, c.latest) {
		c.published = time.Now()
		notify(c.wake)
	}
}

// tick is how often Run looks whether something is due.
const tick = 10 * time.Second

// Run renews the certificate until ctx is done.
func (c *Certificate) Run(ctx context.Context) {
	interval := c.source.interval()
	ticker := time.NewTicker(min(tick, interval))
	defer ticker.Stop()
	next := time.Now().Add(interval)
	var last string
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake: // a leaf may be used after lead
			if at := time.Now().Add(lead); at.Before(next) {
				next = at
			}
			continue
		case <-ticker.C:
		}
		if time.Now().Before(next) && c.Valid() == nil {
			continue
		}
		next = time.Now().Add(interval)
		err := c.Refresh(ctx)
		switch {
		case err == nil:
			last = ""
		case ctx.Err() == nil && err.Error() != last:
			last = err.Error()
			c.log.Error("Renewing the serving certificate failed; retrying", "in", interval.String(), "expires", c.NotAfter(),
				"err", err)
		}
	}
}

// Refresh renews the certificate now, if that is due.
func (c *Certificate) Refresh(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refresh(ctx)
}

func (c *Certificate) refresh(ctx context.Context) error {
	old := c.leaf.Load()
	leaf, bundle, err := c.source.renew(ctx, c.now(), old)
	if err != nil {
		return err
	}
	now := c.now() // the answer may have corrected it
	bundle = join(bundle)
	if old == nil {
		c.known = bundle
	}
	if !bytes.Equal(bundle, c.latest) {
		c.latest, c.published = bundle, time.Time{}
		if old != nil {
			c.log.Info("Serving authority changed")
			notify(c.changed)
		}
	}
	if !c.published.IsZero() && time.Since(c.published) >= lead {
		c.known = c.latest
	}
	switch usable := old == nil || verify(c.known, leaf, "", now) == nil; {
	case leaf == old:
	case usable || verify(c.known, old, "", now) != nil: // the old one is of no use
		c.leaf.Store(leaf)
		if old != nil {
			c.log.Info("Serving certificate renewed", "expires", leaf.Leaf.NotAfter)
		}
	}
	publish := join(c.latest, c.known)
	if was := c.bundle.Swap(&publish); was != nil && !bytes.Equal(*was, publish) {
		notify(c.changed)
	}
	return nil
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
