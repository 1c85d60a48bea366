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
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/admission"
	"tenama.dev/tenama/pkg/broker/auth"
	"tenama.dev/tenama/pkg/broker/budgets"
	"tenama.dev/tenama/pkg/broker/classes"
	"tenama.dev/tenama/pkg/broker/containment"
	"tenama.dev/tenama/pkg/broker/drift"
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
	if o.Pod == "" { // it names this process among the replicas
		o.Pod = uuid.NewString()
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	clock := serverClock{last: &atomic.Pointer[reading]{}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return serverClock{next, clock.last} })
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

	var cache *registry.Cache
	var store *classes.Store
	view := admission.New()
	prover := containment.New(&containment.Prover{
		Client: client, Prefix: o.Prefixes[0], Namespace: o.Namespace, ServiceAccount: o.ServiceAccount,
		Managed: func() []string { return cache.Some(5, o.Prefixes) }, Like: func() (map[string]string, map[string]string) { return store.Like() },
		Interval: o.ContainmentInterval, Log: log,
	})
	prover.Count = func(result string) { countProof(result, prover.Proof()) }
	if o.AllowUncontained {
		log.Error("DANGEROUS: --allow-uncontained: the broker will change namespaces whether or not the policies hold it")
	}

	state := &health{doubt: prover.Proof, allow: o.AllowUncontained}
	failed := make(chan error, 2)
	if o.HealthAddress != "" {
		probes := &http.Server{Addr: o.HealthAddress, Handler: state.handler(), ReadHeaderTimeout: 5 * time.Second}
		background.Go(func() { failed <- probes.ListenAndServe() })
		defer probes.Close()
	}

	// kube-apiserver may be restarting, too: that is no reason to give up.
	var proxy *auth.FrontProxy
	var cert *serving.Certificate
	host := o.Service + "." + o.Namespace + ".svc"
	err = insist(ctx, log, func() (err error) {
		if proxy, err = auth.NewFrontProxy(ctx, client); err != nil {
			return err
		}
		cert, err = serving.New(ctx, client.CoreV1().Secrets(o.Namespace), host, log)
		return err
	})
	if err != nil {
		return err
	}
	authz, err := auth.NewAuthorizer(client, openPaths...)
	if err != nil {
		return err
	}
	kinds, err := o.kinds()
	if err != nil {
		return err
	}
	any, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	policies, err := policyClient(config)
	if err != nil {
		return err
	}
	store, err = classes.New(policies, client, o.Namespace, o.Prefixes, kinds, log)
	if err != nil {
		return err
	}
	limits, err := budgets.New(policies, &budgets.Store{View: view, Reserved: store.Reserved, Full: measureBudgets, Replica: o.Pod, Log: log})
	if err != nil {
		return err
	}
	var reap *reaper.Reaper
	tns := &registry.Registry{
		Client: client, Dynamic: any, Kinds: kinds, Classes: store, Admission: view, Authorizer: authz, Log: log, Prefixes: o.Prefixes, Replica: o.Pod,
		Self: registry.Subject{Namespace: o.Namespace, Name: o.ServiceAccount}, ServerTime: clock.now,
		Contained: func() error {
			if o.AllowUncontained {
				return nil
			}
			return prover.Proof()
		},
		Drifted: func(kind, was, became string) { metricDrift.WithLabelValues(kind, was, became).Inc() },
	}
	cache = registry.NewCache(client, view, func(ns *corev1.Namespace) {
		if ns.Annotations[v1alpha1.AnnotationReady] == "true" && ns.DeletionTimestamp == nil {
			prover.Lives()
		}
		switch at, err := tns.Due(ns); {
		case err != nil:
			log.Error("The expiry cannot be read; the namespace is kept until somebody mends or deletes it", "namespace", ns.Name, "uid", ns.UID, "err", err)
		case !at.IsZero():
			reap.At(ns.Name, at)
		}
	})
	tns.Cache = cache
	reap = reaper.New(tns, log)
	router, err := routes(tns, authz)
	if err != nil {
		return err
	}

	background.Go(func() { proxy.Run(work) })
	if err := proxy.Wait(ctx); err != nil {
		return err
	}

	// Discovery answers from here on, the resource when the caches are filled.
	listener, err := net.Listen("tcp", net.JoinHostPort(o.BindAddress, strconv.Itoa(o.SecurePort)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	requests, endRequests := context.WithCancel(work)
	defer endRequests()
	server := &http.Server{
		Handler: chain(router, proxy, authz, state, o.AllowUncontained, log), TLSConfig: cert.TLS(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 40 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	background.Go(func() { failed <- server.ServeTLS(listener, "", "") })
	defer server.Close()
	background.Go(func() { cert.Run(work) })
	for _, start := range []func(context.Context) error{store.Start, limits.Start, tns.Cache.Start} {
		if err := within(ctx, work, start); err != nil {
			return err
		}
	}
	prover.Try(ctx)
	background.Go(func() { prover.Run(work) })
	background.Go(func() { store.Run(work) })
	background.Go(func() { limits.Run(work) })
	background.Go(func() { reap.Run(work, reapers) })
	background.Go(func() { drift.Walk(work, tns, o.InspectInterval, log) })
	state.serving.Store(true)
	log.Info("Serving", "address", listener.Addr().String(), "replica", tns.Replica, "prefixes", o.Prefixes)

	reg := &registration.Registration{
		Client: client, APIServices: aggregation.ApiregistrationV1().APIServices(), Namespace: o.Namespace, Service: o.Service,
		Port: int32(o.ServicePort), Pod: o.Pod, CABundle: cert.CABundle, Refresh: cert.Refresh, CAChanged: cert.Changed(), Log: log,
	}
	registering, stopRegistering := context.WithCancel(work)
	defer stopRegistering()
	var registered sync.WaitGroup
	registered.Go(func() { reg.Run(registering) })

	var failure error
	select {
	case <-ctx.Done():
	case err := <-failed:
		failure = fmt.Errorf("serve: %w", err)
	}
	log.Info("Stopping")
	state.stopping.Store(true)
	stopRegistering()
	registered.Wait()
	drain, cancel := context.WithTimeout(work, o.ShutdownDelay+30*time.Second)
	defer cancel()
	withdraw := func() {
		if err := reg.Withdraw(drain); err != nil {
			log.Error("Withdrawing the registration failed: until a broker serves again, or the APIService is deleted, no namespace of the cluster can be deleted", "err", err)
		}
	}
	withdraw()
	if failure != nil {
		return failure
	}
	select { // kube-apiserver may still send requests to this replica
	case <-time.After(o.ShutdownDelay):
	case <-drain.Done():
	}
	withdraw()                               // once more: replicas that stop together first take each other for one that stays
	time.AfterFunc(time.Second, endRequests) // watches end; what answers within a second still does
	_ = server.Shutdown(drain)
	tns.Drain(drain)
	log.Info("Stopped")
	return nil
}

// insist repeats start until it succeeds, ctx is done, or it refuses for good.
func insist(ctx context.Context, log *slog.Logger, start func() error) error {
	for {
		err := start()
		if err == nil || ctx.Err() != nil || errors.Is(err, auth.ErrSharedCA) {
			return err
		}
		log.Warn("Starting is not possible yet; trying again", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
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

// policyClient talks about the custom resources of administrators.
func policyClient(c *rest.Config) (rest.Interface, error) {
	s := runtime.NewScheme()
	if err := policyv1alpha1.AddToScheme(s); err != nil {
		return nil, err
	}
	c = rest.CopyConfig(c)
	c.APIPath = "/apis"
	c.GroupVersion = &policyv1alpha1.GroupVersion
	c.NegotiatedSerializer = serializer.NewCodecFactory(s).WithoutConversion()
	c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	return rest.RESTClientFor(c)
}
