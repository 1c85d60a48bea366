// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiadmission "k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/admission"
	"tenama.dev/tenama/pkg/broker/auth"
	"tenama.dev/tenama/pkg/broker/budgets"
	"tenama.dev/tenama/pkg/broker/classes"
	"tenama.dev/tenama/pkg/broker/containment"
	"tenama.dev/tenama/pkg/broker/events"
	"tenama.dev/tenama/pkg/broker/guardrails"
	"tenama.dev/tenama/pkg/broker/lifecycle"
	"tenama.dev/tenama/pkg/broker/nscache"
	"tenama.dev/tenama/pkg/broker/registration"
	"tenama.dev/tenama/pkg/broker/registry"
	"tenama.dev/tenama/pkg/broker/serving"
)

// server is a broker whose parts are connected. It has sent no request yet.
type server struct {
	options   *Options
	log       *slog.Logger
	clients   *clients
	health    *health
	authz     authorizer.Authorizer
	cache     *nscache.Cache
	tracker   *admission.Tracker
	classes   *classes.Store
	budgets   *budgets.Store
	prover    *containment.Prover
	lifecycle *lifecycle.Manager
	queue     *lifecycle.Queue
	notifier  *events.Notifier
	notices   *lifecycle.Queue // of the notifier
	later     *events.Later
	router    http.Handler

	// What serves is created later than what measures it.
	certificate  atomic.Pointer[serving.Certificate]
	registration atomic.Pointer[registration.Registration]

	background sync.WaitGroup
	failed     chan error // of a listener
}

// build creates the parts of a broker, each after those that it uses.
func build(o *Options, log *slog.Logger) (*server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Pod == "" { // Kubernetes gives a pod its name as its host name
		var err error
		if o.Pod, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("find the name of the pod (set --pod-name): %w", err)
		}
	}
	kinds, err := o.kinds()
	if err != nil {
		return nil, err
	}
	c, err := newClients(o)
	if err != nil {
		return nil, err
	}
	s := &server{options: o, log: log, clients: c, failed: make(chan error, 3)}
	if s.authz, err = auth.NewAuthorizer(c.kube, openPaths...); err != nil {
		return nil, err
	}
	s.tracker = admission.New()
	s.cache = nscache.New(c.kube, s.tracker)
	rails := &guardrails.Client{Kube: c.kube, Dynamic: c.dynamic, Kinds: kinds}
	user := serviceaccount.MakeUsername(o.Namespace, o.ServiceAccount)
	s.classes, err = classes.New(c.policies, c.kube, o.Pod, o.Namespace, user, o.Prefixes, kinds,
		&trier{rails, s.cache, o.Prefixes}, log)
	if err != nil {
		return nil, err
	}
	s.budgets, err = budgets.New(c.policies,
		&budgets.Store{Tracker: s.tracker, Reserved: s.classes.Reserved, Full: recordBudgets, Replica: o.Pod, Log: log})
	if err != nil {
		return nil, err
	}
	s.prover = containment.New(&containment.Prover{
		Client: c.kube, Prefix: o.Prefixes[0], Namespace: o.Namespace, ServiceAccount: o.ServiceAccount,
		SampleNames:      func() []string { return s.cache.SampleNames(5, o.Prefixes) },
		TemplateMetadata: s.classes.TemplateMetadata,
		Interval:         o.ContainmentInterval, Log: log,
	})
	s.prover.Count = func(result string) { recordProof(result, s.prover.Proof()) }
	recorder := &events.Recorder{Client: c.kube, Replica: o.Pod, Now: c.clock.Now, Log: log,
		Retry: guardrails.RetryForbidden}
	s.later = events.NewLater(recorder, s.cache, s.contained)
	s.notifier = &events.Notifier{Recorder: recorder, Namespaces: s.cache, Notices: s.expiryNotices,
		Warning: registry.ExpiryWarning, Contained: s.contained}
	s.notices = lifecycle.NewQueue(s.notifier, c.clock.Now, log)
	s.lifecycle = &lifecycle.Manager{
		Client: c.kube, GuardRails: rails,
		Cache: s.cache, Classes: s.classes, Admission: s.tracker, Events: recorder, Log: log,
		Self: rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: o.Namespace, Name: o.ServiceAccount},
		Now:  c.clock.Now, Contained: s.contained, RevokeAfter: o.RevokeAccessAfter,
		Grace: o.OverdueGrace, MaxOverdue: o.MaxOverdue,
		Drifted: func(kind, was, became string) { metricDrift.WithLabelValues(kind, was, became).Inc() },
		Expired: func(lag time.Duration) { metricLag.Observe(lag.Seconds()) },
	}
	s.health = &health{contained: s.prover.Proof, allowUncontained: o.AllowUncontained}
	s.queue = lifecycle.NewQueue(s.lifecycle, c.clock.Now, log)
	s.router, err = routes(&registry.Registry{
		Client: c.kube, Cache: s.cache, Lifecycle: s.lifecycle, Classes: s.classes, Admission: s.tracker,
		Authorizer: s.authz, Log: log, Prefixes: o.Prefixes, Replica: o.Pod,
		Opening: openings(), Restores: make(chan struct{}, maxRestores),
		Later: s.later, Created: recordCreation,
	}, s.authz, apiadmission.NewChainHandler())
	return s, err
}

// trier asks kube-apiserver about the objects of classes in a namespace that was lent: the
// broker has no such right anywhere else.
type trier struct {
	*guardrails.Client
	cache    *nscache.Cache
	prefixes []string
}

func (t *trier) SampleNamespace() string {
	for _, ns := range t.cache.SampleNames(1, t.prefixes) {
		return ns
	}
	return ""
}

// contained returns nil while the broker may change namespaces.
func (s *server) contained() error {
	if s.options.AllowUncontained {
		return nil
	}
	return s.prover.Proof()
}

// onChange schedules the work that is due for a new or changed namespace.
func (s *server) onChange(ns *corev1.Namespace) {
	if v1alpha1.IsReady(ns) {
		s.prover.NamespaceSeen()
	}
	switch at, err := s.lifecycle.Due(ns); {
	case err != nil:
		s.log.Error("The expiry cannot be read; the namespace is kept until its annotations are repaired or it is deleted",
			"namespace", ns.Name, "uid", ns.UID, "err", err)
	case !at.IsZero():
		s.queue.AddAt(ns.Name, at)
	}
	if at := s.notifier.Due(ns); !at.IsZero() {
		s.notices.AddAt(ns.Name, at)
	}
}

// expiryNotices returns how long before their expiry the namespaces of a class receive an
// Event.
func (s *server) expiryNotices(name string) []time.Duration {
	class, err := s.classes.Class(context.Background(), name)
	if err != nil {
		return policyv1alpha1.DefaultExpiryNotices()
	}
	return class.Spec.Lifetime.ExpiryNotices()
}
