// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"time"

	"tenama.dev/tenama/pkg/broker/auth"
	"tenama.dev/tenama/pkg/broker/registration"
	"tenama.dev/tenama/pkg/broker/serving"
)

// credentials returns the authenticator of kube-apiserver and the serving certificate.
// It retries, because kube-apiserver may be restarting, too.
func (s *server) credentials(ctx, work context.Context) (*auth.FrontProxy, *serving.Certificate, error) {
	var proxy *auth.FrontProxy
	var cert *serving.Certificate
	host := s.options.Service + "." + s.options.Namespace + ".svc"
	err := retryStart(ctx, s.log, func() (err error) {
		if proxy, err = auth.NewFrontProxy(ctx, s.clients.kube); err != nil {
			return err
		}
		if dir := s.options.CertDir; dir != "" {
			cert, err = serving.NewFromFiles(ctx, dir, host, s.clients.clock.Latest, s.log)
			return err
		}
		cert, err = serving.New(ctx, s.clients.kube.CoreV1().Secrets(s.options.Namespace), host,
			s.options.CertLifetime, s.clients.clock.Latest, s.log)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	s.certificate.Store(cert)
	s.health.certificate.Store(cert)
	s.background.Go(func() { proxy.Run(work) })
	s.background.Go(func() { cert.Run(work) })
	return proxy, cert, proxy.Wait(ctx)
}

// newRegistration returns what registers this replica with a certificate.
func (s *server) newRegistration(cert *serving.Certificate) *registration.Registration {
	o := s.options
	reg := &registration.Registration{
		Client: s.clients.kube, APIServices: s.clients.aggregator.ApiregistrationV1().APIServices(),
		Namespace: o.Namespace, Service: o.Service, Port: int32(o.ServicePort), Pod: o.Pod,
		CABundle: cert.CABundle, Refresh: cert.Refresh, CAChanged: cert.Changed(), Valid: cert.Valid,
		Published: cert.Published, Now: s.clients.clock.Latest, Log: s.log,
	}
	s.registration.Store(reg)
	return reg
}

// announced is the pause after the announcement of an authority: each kube-apiserver learns of
// it by a watch.
const announced = 5 * time.Second

// announce announces the certificate of this replica to kube-apiserver, before the replica is
// ready. If that fails, the replica starts all the same, and Run of the registration goes on.
func (s *server) announce(ctx context.Context, reg *registration.Registration) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	changed, err := reg.Announce(ctx)
	if err != nil {
		s.log.Warn("Announcing the certificate failed; kube-apiserver may reject it for a moment", "err", err)
	}
	if changed {
		select {
		case <-ctx.Done():
		case <-time.After(announced):
		}
	}
}
