// SPDX-License-Identifier: Apache-2.0

// Package classes watches the NamespaceClasses of the cluster, validates them, and
// reports the result in their status.
//
// CEL rules reject most errors at `kubectl apply` (deploy/base/policies/classes.yaml, and
// the CustomResourceDefinition). This package checks the rest: whether the objects
// decode, whether kube-apiserver accepts them, whether the broker may bind the role,
// whether there is one default. Any replica may write the status; the one that did
// reports, and another takes over when it is outdated. A rejection of kube-apiserver is
// kept in the status, so that all replicas, and restarted ones, know it.
package classes

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/pkg/broker/policystore"
)

// Store watches the classes of the cluster.
type Store struct {
	client    kubernetes.Interface
	classes   *policystore.Store[policyv1alpha1.NamespaceClass, *policyv1alpha1.NamespaceClass]
	namespace string // of the broker
	user      string // that the broker is to kube-apiserver
	prefixes  []string
	kinds     policyv1alpha1.ObjectKinds
	log       *slog.Logger

	mu       sync.Mutex        // guards bindable and checked
	bindable map[string]review // by role
	checked  map[types.UID]check
	wake     chan struct{}

	trier Trier

	replica  string
	outdated map[types.UID]time.Time // since when the status that another replica wrote is outdated
}

// check is the result of validating one generation of a class.
type check struct {
	generation int64
	err        error
	revision   string
	reserved   corev1.ResourceList
	objects    []runtime.Object // with the defaults of the parameters
	accepted   bool             // kube-apiserver accepts the objects
	rejected   error            // why it does not
}

type review struct {
	refused string
	at      time.Time
}

const (
	// reviewed is how long the answer that the broker may bind a role is cached.
	reviewed = time.Minute
	// refusedFor is how long the answer that it may not is cached: an administrator who
	// grants the right tries again at once.
	refusedFor = 5 * time.Second
	// writeInterval is the minimum time between two rounds of updates.
	writeInterval = time.Second
	// reporterTimeout is how long a replica waits for the reporter of a class to judge a
	// new generation, before it takes over.
	reporterTimeout = 3 * time.Second
	// disagreementTimeout is how long a replica waits before it replaces the status that
	// another one wrote about the same generation. Replicas disagree while a release or a
	// change of rights is rolled out; each of them rejects what it cannot create.
	disagreementTimeout = time.Minute
)

// New returns a Store for a replica of the broker that runs in namespace as user, and
// creates namespaces with the prefixes, and objects of further kinds in them; c is a client
// of group policy.tenama.dev. Call Start.
func New(c rest.Interface, client kubernetes.Interface, replica, namespace, user string, prefixes []string,
	kinds policyv1alpha1.ObjectKinds, trier Trier, log *slog.Logger) (*Store, error) {
	s := &Store{
		client: client, replica: replica, namespace: namespace, user: user, prefixes: prefixes, kinds: kinds,
		trier: trier, log: log,
		outdated: map[types.UID]time.Time{},
		bindable: map[string]review{}, checked: map[types.UID]check{}, wake: make(chan struct{}, 1),
	}
	var err error
	s.classes, err = policystore.New(c, policyv1alpha1.Resource.Resource, func(old, now *policyv1alpha1.NamespaceClass) {
		if old != nil && now != nil && old.UID == now.UID && old.Generation == now.Generation &&
			isDefault(old) == isDefault(now) {
			return // a change of the status alone
		}
		s.wakeUp()
	})
	return s, err
}

// wakeUp makes Run judge all classes.
func (s *Store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Start watches the classes until ctx is done, and returns once all are known.
func (s *Store) Start(ctx context.Context) error { return s.classes.Start(ctx) }

// Class returns the class with the given name, or the default class if name is empty.
// Its status.revision is that of its spec. The error is a *field.Error about
// spec.className if the caller can correct it by choosing another class.
func (s *Store) Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error) {
	path := field.NewPath("spec", "className")
	all := s.classes.List()
	if name == "" {
		var defaults []string
		for _, c := range all {
			if isDefault(c) {
				defaults = append(defaults, c.Name)
			}
		}
		switch len(defaults) {
		case 0:
			return nil, field.Required(path, "this cluster has no default class; "+offer(all))
		case 1:
			name = defaults[0]
		default:
			return nil, field.Required(path, fmt.Sprintf("this cluster has %d default classes (%s); name one", len(defaults),
				strings.Join(defaults, ", ")))
		}
	}
	i := slices.IndexFunc(all, func(c *policyv1alpha1.NamespaceClass) bool { return c.Name == name })
	if i < 0 {
		return nil, &field.Error{Type: field.ErrorTypeNotFound, Field: path.String(), BadValue: name, Detail: offer(all)}
	}
	class := all[i]
	if c := s.judge(ctx, class); c.Status != metav1.ConditionTrue {
		return nil, field.Invalid(path, name, "the class cannot be used: "+c.Message)
	}
	out := *class // shallow: the spec is shared
	out.Status.Revision = s.check(class).revision
	return &out, nil
}

// TemplateMetadata returns the labels and annotations that the default class, or else the first
// valid class, sets on its namespaces.
func (s *Store) TemplateMetadata() (labels, annotations map[string]string) {
	labels, annotations = map[string]string{}, map[string]string{}
	var class *policyv1alpha1.NamespaceClass
	for _, c := range s.classes.List() {
		if (class == nil || isDefault(c)) && s.check(c).err == nil {
			class = c
		}
	}
	if class == nil {
		return labels, annotations
	}
	values := policyv1alpha1.Given(s.prefixes[0]+"proof", "probe", class.Spec.Defaults())
	l, err := class.Spec.Labels(values)
	if err != nil {
		return labels, annotations
	}
	a, err := class.Spec.Annotations(values)
	if err != nil {
		return labels, annotations
	}
	return l, a
}

func offer(all []*policyv1alpha1.NamespaceClass) string {
	if len(all) == 0 {
		return "there is no NamespaceClass; an administrator has to create one"
	}
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.Name
	}
	return "known classes: " + strings.Join(names, ", ")
}

func isDefault(c *policyv1alpha1.NamespaceClass) bool {
	return c.Annotations[policyv1alpha1.AnnotationDefaultClass] == "true"
}

// check validates a class; the result for a generation is cached.
func (s *Store) check(class *policyv1alpha1.NamespaceClass) check {
	s.mu.Lock()
	known, ok := s.checked[class.UID]
	s.mu.Unlock()
	if ok && known.generation == class.Generation {
		return known
	}
	found := check{generation: class.Generation, revision: class.Spec.Revision(), err: class.Spec.Check(s.kinds)}
	if found.err == nil {
		var objs []runtime.Object
		objs, found.err = class.Spec.GuardRails(policyv1alpha1.Given(s.prefixes[0]+"x", "x", class.Spec.Defaults()), s.kinds)
		found.reserved, found.objects = policyv1alpha1.Reserved(objs), objs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checked[class.UID] = found; len(s.checked) > 1000 { // drops deleted classes
		s.checked = map[types.UID]check{class.UID: found}
	}
	return found
}

// Reserved returns the amounts that a namespace of each class reserves from the budgets.
func (s *Store) Reserved() map[string]corev1.ResourceList {
	out := map[string]corev1.ResourceList{}
	for _, c := range s.classes.List() {
		if found := s.check(c); found.err == nil {
			out[c.Name] = found.reserved
		}
	}
	return out
}

// Outdated reports, in one word, whether a revision is the current one of a class.
func (s *Store) Outdated(name, revision string) string {
	class := s.classes.Get(name)
	switch {
	case class == nil:
		return "classless"
	case s.check(class).revision == revision:
		return "current"
	}
	return "outdated"
}
