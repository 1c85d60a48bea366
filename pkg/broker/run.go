// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"tenama.dev/tenama/pkg/broker/auth"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// logInterval is how often a failure that continues is logged.
const logInterval = 30 * time.Second

// workers is how many namespaces are reconciled at once. Expiries come in bursts,
// because creation times have whole seconds.
const workers = 16

// noticeWorkers is how many notices of expiries are given at once. Nothing waits for them.
const noticeWorkers = 2

// Run serves until ctx is done, and then drains: it withdraws the APIService if no
// other replica serves, serves for the shutdown delay, ends watches, and waits for
// creations in progress.
func Run(ctx context.Context, o *Options, log *slog.Logger) error {
	s, err := build(o, log)
	if err != nil {
		return err
	}
	if o.AllowUncontained {
		log.Error("DANGEROUS: --allow-uncontained: the broker will change namespaces whether or not the policies contain it")
	}
	// Background work outlives ctx by the drain.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer s.background.Wait()
	defer stop()
	for addr, handler := range map[string]http.Handler{
		o.HealthAddress: s.health.handler(), o.MetricsAddress: s.metricsHandler(),
	} {
		if addr == "" {
			continue
		}
		plain := &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		s.background.Go(func() { s.failed <- plain.ListenAndServe() })
		defer plain.Close()
	}
	return s.serve(ctx, work)
}

// serve answers requests until ctx is done or a listener fails, and drains.
// It answers discovery at once, and the resource once the caches are filled.
func (s *server) serve(ctx, work context.Context) error {
	o := s.options
	proxy, cert, err := s.credentials(ctx, work)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(o.BindAddress, strconv.Itoa(o.SecurePort)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	requests, endRequests := context.WithCancel(work)
	defer endRequests()
	api := &http.Server{
		Handler: filter(s.router, proxy, s.authz, s.health, s.clients.clock.Now, s.log), TLSConfig: cert.TLS(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 40 * time.Second, IdleTimeout: 90 * time.Second,
		// As kube-apiserver, which forwards the groups of a user as headers.
		MaxHeaderBytes: http.DefaultMaxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.background.Go(func() { s.failed <- api.ServeTLS(listener, "", "") })
	defer api.Close()
	if err := s.startWork(ctx, work); err != nil {
		return err
	}
	reg := s.newRegistration(cert)
	s.announce(ctx, reg)
	s.health.serving.Store(true)
	s.log.Info("Serving", "address", listener.Addr().String(), "replica", o.Pod, "prefixes", o.Prefixes)
	stopRegistering := s.register(work, reg)
	var failure error
	select {
	case <-ctx.Done():
	case err := <-s.failed:
		failure = fmt.Errorf("serve: %w", err)
	case failure = <-proxy.Shared:
	}
	s.log.Info("Stopping")
	s.health.stopping.Store(true)
	stopRegistering()
	return s.drain(work, reg, api, endRequests, failure)
}

// startWork fills the caches, and starts the background work.
func (s *server) startWork(ctx, work context.Context) error {
	startCache := func(ctx context.Context) error { return s.cache.Start(ctx, s.onChange) }
	for _, start := range []func(context.Context) error{s.classes.Start, s.budgets.Start, startCache} {
		if err := startWithin(ctx, work, start); err != nil {
			return err
		}
	}
	s.prover.Try(ctx)
	s.background.Go(func() { s.prover.Run(work) })
	s.background.Go(func() { s.classes.Run(work) })
	s.background.Go(func() { s.budgets.Run(work) })
	s.background.Go(func() { s.queue.Run(work, workers) })
	s.background.Go(func() { s.notices.Run(work, noticeWorkers) })
	s.background.Go(func() { s.later.Run(work) })
	s.background.Go(func() { lifecycle.Resync(work, s.lifecycle, s.options.InspectInterval, s.log) })
	return nil
}

// retryStart calls start until it succeeds, ctx is done, or the front-proxy CA is
// shared with users, which no retry can fix.
func retryStart(ctx context.Context, log *slog.Logger, start func() error) error {
	var logged time.Time
	for last := ""; ; {
		err := start()
		if err == nil || ctx.Err() != nil || errors.Is(err, auth.ErrSharedCA) {
			return err
		}
		if err.Error() != last || time.Since(logged) > logInterval {
			last, logged = err.Error(), time.Now()
			log.Warn("Start failed; retrying", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// startWithin calls start, which starts work that ends with the context work. It
// returns when start does, or when ctx is done.
func startWithin(ctx, work context.Context, start func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- start(work) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
