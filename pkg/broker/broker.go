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
	"sync"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"tenama.dev/tenama/pkg/broker/auth"
	"tenama.dev/tenama/pkg/broker/classes"
	"tenama.dev/tenama/pkg/broker/reaper"
	"tenama.dev/tenama/pkg/broker/registration"
	"tenama.dev/tenama/pkg/broker/registry"
	"tenama.dev/tenama/pkg/broker/serving"
)

// reapers is how many expired namespaces are deleted at once. Expiries come in
// bursts, because creation times have whole seconds.
const reapers = 16

// Run serves until ctx is done, then drains: it withdraws the APIService if no
// other replica serves, goes on serving for the shutdown delay, ends watches,
// and waits for what is being made.
func Run(ctx context.Context, o *Options, log *slog.Logger) error {
	if err := o.Validate(); err != nil {
		return err
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	aggregation, err := aggregator.NewForConfig(config)
	if err != nil {
		return err
	}

	// What works in the background outlives ctx by the drain.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer stopWork()

	proxy, err := auth.NewFrontProxy(ctx, client)
	if err != nil {
		return err
	}
	authz, err := auth.NewAuthorizer(client, openPaths...)
	if err != nil {
		return err
	}
	host := o.Service + "." + o.Namespace + ".svc"
	cert, err := serving.New(ctx, client.CoreV1().Secrets(o.Namespace), host, log)
	if err != nil {
		return err
	}
	store, err := classes.New(config, client, log)
	if err != nil {
		return err
	}
	var reap *reaper.Reaper
	tns := &registry.Registry{
		Client: client, Classes: store, Authorizer: authz, Log: log, Prefix: o.Prefix, Replica: replica(o),
		Self: registry.Subject{Namespace: o.Namespace, Name: o.ServiceAccount},
	}
	tns.Cache, err = registry.NewCache(client, func(ns *corev1.Namespace) {
		switch at, err := tns.Due(ns); {
		case err != nil:
			log.Error("The expiry cannot be read; the namespace is kept until somebody mends or deletes it", "namespace", ns.Name, "uid", ns.UID, "err", err)
		case !at.IsZero():
			reap.At(ns.Name, at)
		}
	})
	if err != nil {
		return err
	}
	reap = reaper.New(tns, log)
	for _, start := range []func(context.Context) error{store.Start, tns.Cache.Start} {
		if err := within(ctx, work, start); err != nil {
			return err
		}
	}
	background.Go(func() { proxy.Run(work) })
	background.Go(func() { cert.Run(work) })
	background.Go(func() { store.Run(work) })
	background.Go(func() { reap.Run(work, reapers) })

	router, err := routes(tns, authz)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(o.BindAddress, strconv.Itoa(o.SecurePort)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	requests, endRequests := context.WithCancel(work)
	defer endRequests()
	server := &http.Server{
		Handler: chain(router, proxy, authz, log), TLSConfig: cert.TLS(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 40 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	state := &health{}
	failed := make(chan error, 2)
	background.Go(func() { failed <- server.ServeTLS(listener, "", "") })
	if o.HealthAddress != "" {
		probes := &http.Server{Addr: o.HealthAddress, Handler: state.handler(), ReadHeaderTimeout: 5 * time.Second}
		background.Go(func() { failed <- probes.ListenAndServe() })
		defer probes.Close()
	}
	reg := &registration.Registration{
		Client: client, APIServices: aggregation.ApiregistrationV1().APIServices(), Namespace: o.Namespace, Service: o.Service,
		Port: int32(o.ServicePort), Pod: o.Pod, CABundle: cert.CABundle, CAChanged: cert.Changed(), Log: log,
	}
	registering, stopRegistering := context.WithCancel(work)
	defer stopRegistering()
	var registered sync.WaitGroup
	registered.Go(func() { reg.Run(registering) })
	state.serving.Store(true)
	log.Info("Serving", "address", listener.Addr().String(), "replica", tns.Replica, "prefix", o.Prefix)

	select {
	case <-ctx.Done():
	case err := <-failed:
		state.stopping.Store(true)
		stopRegistering()
		registered.Wait()
		_, werr := reg.Withdraw(work)
		return errors.Join(fmt.Errorf("serve: %w", err), werr, server.Close())
	}
	log.Info("Stopping")
	state.stopping.Store(true)
	stopRegistering()
	registered.Wait()
	drain, cancel := context.WithTimeout(work, o.ShutdownDelay+30*time.Second)
	defer cancel()
	if _, err := reg.Withdraw(drain); err != nil {
		log.Error("Withdrawing the registration failed: until a broker serves again, or the APIService is deleted, no namespace of the cluster can be deleted", "err", err)
	}
	select { // kube-apiserver may still send requests to this replica
	case <-time.After(o.ShutdownDelay):
	case <-drain.Done():
	}
	tns.Drain(drain)
	time.AfterFunc(time.Second, endRequests) // watches end; what answers within a second still does
	if err := server.Shutdown(drain); err != nil {
		_ = server.Close()
	}
	log.Info("Stopped")
	return nil
}

// within runs start, which begins work for the life of work, but gives up
// waiting for it when ctx is done.
func within(ctx, work context.Context, start func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- start(work) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func protobuf(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return c
}

// replica names this process among the replicas.
func replica(o *Options) string {
	if o.Pod != "" {
		return o.Pod
	}
	return uuid.NewString()
}
