// SPDX-License-Identifier: Apache-2.0

// Package classes knows the NamespaceClasses of the cluster, judges them, and
// reports the judgement in their status.
//
// What CEL can tell is refused at `kubectl apply` (deploy/policies/classes.yaml,
// and the definition itself). Here is what
// only the broker can tell: whether the objects decode, whether it may bind the
// role, whether there is one default. The status is a function of the class and
// of the broker's rights, so any replica may write it and none leads.
package classes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// Store holds the classes of the cluster.
type Store struct {
	client    kubernetes.Interface
	rest      rest.Interface
	informer  cache.SharedIndexInformer
	namespace string // of the broker
	log       *slog.Logger

	mu       sync.Mutex        // guards bindable
	bindable map[string]review // by role
	wake     chan struct{}
}

type review struct {
	refused string
	at      time.Time
}

// reviewed is how long the answer to "may the broker bind this role" holds.
const reviewed = time.Minute

// New returns a store for a broker that runs in namespace; call Start.
func New(config *rest.Config, client kubernetes.Interface, namespace string, log *slog.Logger) (*Store, error) {
	scheme := runtime.NewScheme()
	if err := policyv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &policyv1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	c, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, rest: c, namespace: namespace, log: log, bindable: map[string]review{}, wake: make(chan struct{}, 1)}
	all := cache.NewListWatchFromClient(c, policyv1alpha1.Resource.Resource, metav1.NamespaceAll, fields.Everything())
	s.informer = cache.NewSharedIndexInformer(all, &policyv1alpha1.NamespaceClass{}, 0, cache.Indexers{})
	poke := func(any) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	_, err = s.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: poke, DeleteFunc: poke, UpdateFunc: func(_, o any) { poke(o) },
	})
	return s, err
}

// Start follows the classes until ctx is done, and returns once all are known.
func (s *Store) Start(ctx context.Context) error {
	go s.informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), s.informer.HasSynced) {
		return ctx.Err()
	}
	return nil
}

// Class returns the class called name, or the default class if name is empty.
// The error is a *field.Error about spec.className where the caller can mend it
// by choosing another.
func (s *Store) Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error) {
	path := field.NewPath("spec", "className")
	all := s.list()
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
			return nil, field.Required(path, fmt.Sprintf("this cluster has %d default classes (%s); name one", len(defaults), strings.Join(defaults, ", ")))
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
	return class, nil
}

// Like returns the labels and annotations that the default class, or else the
// first that there is, sets on its namespaces.
func (s *Store) Like() (labels, annotations map[string]string) {
	labels, annotations = map[string]string{}, map[string]string{}
	var like *policyv1alpha1.NamespaceClass
	for _, c := range s.list() {
		if (like == nil || isDefault(c)) && c.Spec.ValidateKeys() == nil {
			like = c
		}
	}
	if like != nil {
		for k, v := range like.Spec.NamespaceLabels {
			labels[k] = string(v)
		}
		for k, v := range like.Spec.NamespaceAnnotations {
			annotations[k] = string(v)
		}
	}
	return labels, annotations
}

func offer(all []*policyv1alpha1.NamespaceClass) string {
	if len(all) == 0 {
		return "there is no NamespaceClass at all; an administrator has to make one"
	}
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.Name
	}
	return "known classes: " + strings.Join(names, ", ")
}

// list returns all classes by name. They must not be changed.
func (s *Store) list() []*policyv1alpha1.NamespaceClass {
	var out []*policyv1alpha1.NamespaceClass
	for _, o := range s.informer.GetStore().List() {
		out = append(out, o.(*policyv1alpha1.NamespaceClass))
	}
	slices.SortFunc(out, func(a, b *policyv1alpha1.NamespaceClass) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func isDefault(c *policyv1alpha1.NamespaceClass) bool {
	return c.Annotations[policyv1alpha1.AnnotationDefaultClass] == "true"
}

// judge is the Ready condition that a class deserves.
func (s *Store) judge(ctx context.Context, class *policyv1alpha1.NamespaceClass) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionReady, Status: metav1.ConditionFalse, ObservedGeneration: class.Generation}
	_, err := class.Spec.GuardRails()
	if err := errors.Join(class.Spec.ValidateKeys(), err); err != nil {
		c.Reason, c.Message = policyv1alpha1.ReasonInvalidObject, oneLine(err)
		return c
	}
	if why := s.refuses(ctx, class.Spec.OwnerRole); why != "" {
		c.Reason = policyv1alpha1.ReasonRoleNotBindable
		c.Message = fmt.Sprintf("the broker may not bind ClusterRole %q: %s", class.Spec.OwnerRole, why)
		return c
	}
	c.Status, c.Reason, c.Message = metav1.ConditionTrue, policyv1alpha1.ReasonUsable, "The class can make namespaces."
	return c
}

func oneLine(err error) string {
	return strings.Join(strings.Split(err.Error(), "\n"), "; ")
}

// Both have to name a role before the broker can give it.
const (
	byRBAC   = "ClusterRole tenama:broker (deploy/base/rbac.yaml) does not let it; use a role that it names, or add yours there and to deploy/policies/broker.yaml"
	byPolicy = "ValidatingAdmissionPolicy tenama-broker (deploy/policies/broker.yaml) does not name it; use a role that it names, or add yours there"
)

// refuses tells what keeps the broker from binding a ClusterRole to an owner;
// empty is nothing. It tries, by dry-run, in the broker's own namespace: RBAC
// and the policy answer about the role before the policy refuses the place.
// Without an answer it assumes that nothing does: the real attempt will tell.
func (s *Store) refuses(ctx context.Context, role string) string {
	s.mu.Lock()
	known, ok := s.bindable[role]
	s.mu.Unlock()
	if ok && time.Since(known.at) < reviewed {
		return known.refused
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := s.client.RbacV1().RoleBindings(s.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "tenama-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	refused := ""
	switch {
	case err == nil: // not contained; that is reported elsewhere
	case !apierrors.IsForbidden(err):
		s.log.Warn("Trying to bind a role failed", "role", role, "err", err)
		return ""
	case strings.Contains(err.Error(), "may not bind the role"):
		refused = byPolicy
	case !strings.Contains(err.Error(), "ValidatingAdmissionPolicy"):
		refused = byRBAC
	}
	s.mu.Lock()
	s.bindable[role] = review{refused, time.Now()}
	s.mu.Unlock()
	return refused
}

// Run keeps the status of the classes true, until ctx is done.
func (s *Store) Run(ctx context.Context) {
	var retry <-chan time.Time
	again := time.NewTicker(reviewed) // rights and policies change without an event of a class
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-retry:
		case <-again.C:
		}
		retry = nil
		all := s.list()
		defaults := 0
		for _, c := range all {
			if isDefault(c) {
				defaults++
			}
		}
		for _, class := range all {
			c := s.judge(ctx, class)
			if c.Status == metav1.ConditionTrue && isDefault(class) && defaults > 1 {
				c.Reason, c.Message = policyv1alpha1.ReasonSeveralDefaults, fmt.Sprintf("Usable by name only: %d classes are marked as the default.", defaults)
			}
			if err := s.report(ctx, class, c); err != nil && ctx.Err() == nil {
				s.log.Warn("Writing the status of a class failed; trying again", "class", class.Name, "err", err)
				retry = time.After(10 * time.Second)
			}
		}
	}
}

// report writes the condition into the status of class, if it is not there yet.
func (s *Store) report(ctx context.Context, class *policyv1alpha1.NamespaceClass, c metav1.Condition) error {
	class = class.DeepCopy()
	revision := class.Spec.Revision()
	changed := meta.SetStatusCondition(&class.Status.Conditions, c)
	if !changed && class.Status.ObservedGeneration == class.Generation && class.Status.Revision == revision {
		return nil
	}
	class.Status.ObservedGeneration, class.Status.Revision = class.Generation, revision
	err := s.rest.Put().Resource(policyv1alpha1.Resource.Resource).Name(class.Name).SubResource("status").Body(class).Do(ctx).Error()
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // its event comes, or it is gone
	}
	if err != nil {
		return fmt.Errorf("update status of class %q: %w", class.Name, err)
	}
	s.log.Info("Judged a class", "class", class.Name, "ready", c.Status, "reason", c.Reason, "message", c.Message)
	return nil
}
