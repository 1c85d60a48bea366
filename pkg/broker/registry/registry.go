// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/events"
	"tenama.dev/tenama/pkg/broker/lifecycle"
	"tenama.dev/tenama/pkg/broker/nscache"
)

// Classes finds a class by name.
type Classes interface {
	// Class returns a class with its revision in the status; the empty name is the
	// default class. An error about the class itself is a *field.Error of
	// spec.className.
	Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error)
	// Outdated reports, in one word, whether a revision is the current one of a class.
	Outdated(name, revision string) string
}

// Admission reserves amounts in the budgets.
type Admission interface {
	// Reserve reserves the amounts of ns, which is to be created; release ends the
	// reservation. Errors: Forbidden, if a budget is full.
	Reserve(ctx context.Context, ns *corev1.Namespace) (release func(), err error)
	// Wait is Reserve with a queue, in which id keeps a position between requests.
	// Errors: TooManyRequests, with the position.
	Wait(ctx context.Context, ns *corev1.Namespace, id string) (release func(), err error)
	// Requeue returns a request that was granted capacity, and lost the race to
	// another replica, to its position in the queue. Its error is that of Wait; it is
	// nil if the request was not in the queue.
	Requeue(ns *corev1.Namespace, id string) error
	// Groups returns those of the given groups that some budget names.
	Groups(of []string) []string
}

// Later creates an Event in a namespace, not before a delay is over.
type Later interface {
	Record(ns *corev1.Namespace, delay time.Duration, e events.Event)
}

// Registry serves TemporaryNamespaces. The exported fields are required.
type Registry struct {
	Client     kubernetes.Interface
	Cache      *nscache.Cache
	Lifecycle  *lifecycle.Manager
	Classes    Classes
	Admission  Admission
	Authorizer authorizer.Authorizer
	Log        *slog.Logger
	Prefixes   []string // every name begins with one of them; the first is the default
	Replica    string   // this process, among the replicas of the broker
	// Opening waits until the caller may open a watch, for which kube-apiserver looks through
	// all namespaces, and returns what is called when it is open. Errors: ErrNoTurn, and that
	// of the context.
	Opening func(context.Context) (opened func(), err error)
	// Restores has a slot for each resumed watch that may read at the same time what its
	// client has: a page takes memory.
	Restores chan struct{}
	// Later creates an Event after a request was answered.
	Later Later
	// Created is called after each request to create a namespace that is no dry run, with its
	// error and duration.
	Created func(err error, took time.Duration)

	refused atomic.Int64 // when a refusal was logged last, as Unix time in nanoseconds
}

var (
	_ rest.Getter            = &Registry{}
	_ rest.Lister            = &Registry{}
	_ rest.Watcher           = &Registry{}
	_ rest.Creater           = &Registry{}
	_ rest.Patcher           = &Registry{}
	_ rest.GracefulDeleter   = &Registry{}
	_ rest.CollectionDeleter = &Registry{}
	_ rest.Scoper            = &Registry{}
	_ rest.TableConvertor    = &Registry{}
)

// New returns an empty TemporaryNamespace, for decoding.
func (r *Registry) New() runtime.Object { return &v1alpha1.TemporaryNamespace{} }

// NewList returns an empty TemporaryNamespaceList, for decoding.
func (r *Registry) NewList() runtime.Object { return &v1alpha1.TemporaryNamespaceList{} }

// NamespaceScoped is false.
func (r *Registry) NamespaceScoped() bool { return false }

// GetSingularName returns the singular name of the resource.
func (r *Registry) GetSingularName() string { return v1alpha1.Singular }

// Destroy does nothing: the caller stops the parts of the Registry.
func (r *Registry) Destroy() {}

// now returns the present time by kube-apiserver's clock.
func (r *Registry) now() time.Time { return r.Lifecycle.Now() }

// Get returns one TemporaryNamespace as kube-apiserver has it now, or no older than
// the resourceVersion of o. Errors: NotFound, also for a namespace that the caller
// may not see; BadRequest for a malformed resourceVersion; Timeout for one of the
// future.
func (r *Registry) Get(ctx context.Context, name string, o *metav1.GetOptions) (runtime.Object, error) {
	var resourceVersion string
	if o != nil {
		resourceVersion = o.ResourceVersion
	}
	ns, err := r.read(ctx, name, v1alpha1.VerbViewAll, resourceVersion)
	if err != nil {
		return nil, err
	}
	tn := fromNamespace(ns)
	warn(ctx, ns, tn, r.now())
	return tn, nil
}
