// SPDX-License-Identifier: Apache-2.0

// Package budgets knows the NamespaceBudgets of the cluster, puts them in force,
// and reports in their status what is taken of them.
//
// The status is for people: it decides nothing. Every replica could write it, as
// each sees the same; so one does, which is named in it, and another takes over
// where that has left the status untrue for some seconds.
package budgets

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

const (
	// every is how often a status is written at the most.
	every = time.Second
	// patience is for how long an untrue status is left to the replica that wrote it.
	patience = 3 * time.Second
)

// View is what knows what is taken.
type View interface {
	SetBudgets(all []*policyv1alpha1.NamespaceBudget)
	// Usage is the status of each budget, by name, but for its conditions; and how
	// much of it is taken.
	Usage() (status map[string]policyv1alpha1.NamespaceBudgetStatus, full map[string]float64)
	// NeverFit tells of each budget why classes that take these amounts cannot make
	// any namespace.
	NeverFit(reserved map[string]corev1.ResourceList) map[string]string
}

// Store follows the budgets of the cluster. All exported fields are required.
type Store struct {
	View     View
	Reserved func() map[string]corev1.ResourceList // what a namespace of each class takes
	Full     func(shares map[string]float64)       // called with how much of each budget is taken
	Replica  string
	Log      *slog.Logger

	rest     rest.Interface
	informer cache.SharedIndexInformer
	untrue   map[string]time.Time // by name of the budget, since when
	putting  sync.Mutex           // what is read first is put in force first
}

// New returns s, ready to start; c is a client of group policy.tenama.dev.
func New(c rest.Interface, s *Store) (*Store, error) {
	s.rest, s.untrue = c, map[string]time.Time{}
	all := cache.NewListWatchFromClient(c, policyv1alpha1.BudgetResource.Resource, metav1.NamespaceAll, fields.Everything())
	s.informer = cache.NewSharedIndexInformer(all, &policyv1alpha1.NamespaceBudget{}, 0, cache.Indexers{})
	_, err := s.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { s.put() }, DeleteFunc: func(any) { s.put() },
		UpdateFunc: func(was, is any) {
			a, b := was.(*policyv1alpha1.NamespaceBudget), is.(*policyv1alpha1.NamespaceBudget)
			if a.UID != b.UID || a.Generation != b.Generation { // made anew, or more than its status
				s.put()
			}
		},
	})
	return s, err
}

// Start follows the budgets until ctx is done, and returns once all are in force.
func (s *Store) Start(ctx context.Context) error {
	go s.informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), s.informer.HasSynced) {
		return ctx.Err()
	}
	s.put()
	return nil
}

func (s *Store) put() {
	s.putting.Lock()
	defer s.putting.Unlock()
	s.View.SetBudgets(s.list())
}

func (s *Store) list() []*policyv1alpha1.NamespaceBudget {
	var out []*policyv1alpha1.NamespaceBudget
	for _, o := range s.informer.GetStore().List() {
		out = append(out, o.(*policyv1alpha1.NamespaceBudget))
	}
	slices.SortFunc(out, func(a, b *policyv1alpha1.NamespaceBudget) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Run keeps the status of the budgets true, until ctx is done.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		budgets := s.list()
		usage, full := s.View.Usage()
		s.Full(full)
		if len(budgets) == 0 {
			continue
		}
		never := s.View.NeverFit(s.Reserved())
		for _, b := range budgets {
			if err := s.report(ctx, b, usage[b.Name], never[b.Name]); err != nil && ctx.Err() == nil {
				s.Log.Warn("Writing the status of a budget failed; trying again", "budget", b.Name, "err", err)
			}
		}
	}
}

// report writes the status of a budget, if it is not true and this replica's turn.
func (s *Store) report(ctx context.Context, b *policyv1alpha1.NamespaceBudget, now policyv1alpha1.NamespaceBudgetStatus, never string) error {
	now.ObservedGeneration, now.Reporter, now.Conditions = b.Generation, b.Status.Reporter, slices.Clone(b.Status.Conditions)
	meta.SetStatusCondition(&now.Conditions, judge(b, never))
	if equality.Semantic.DeepEqual(now, b.Status) {
		delete(s.untrue, b.Name)
		return nil
	}
	if b.Status.Reporter != s.Replica && b.Status.Reporter != "" {
		since, ok := s.untrue[b.Name]
		if !ok {
			s.untrue[b.Name] = time.Now()
		}
		if !ok || time.Since(since) < patience {
			return nil
		}
	}
	now.Reporter = s.Replica
	b = b.DeepCopy()
	b.Status = now
	err := s.rest.Put().Resource(policyv1alpha1.BudgetResource.Resource).Name(b.Name).SubResource("status").Body(b).Do(ctx).Error()
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // its event comes, or it is gone
	}
	if err != nil {
		return fmt.Errorf("update status of budget %q: %w", b.Name, err)
	}
	delete(s.untrue, b.Name)
	return nil
}

// judge is the Ready condition that a budget deserves.
func judge(b *policyv1alpha1.NamespaceBudget, never string) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: b.Generation}
	switch err := b.Spec.Check(); {
	case err != nil:
		c.Status, c.Reason = metav1.ConditionFalse, policyv1alpha1.ReasonInvalidLimit
		c.Message = strings.ReplaceAll(err.Error(), "\n", "; ") + "; until it is mended nobody can create namespaces that count in it"
	case never != "":
		c.Reason, c.Message = policyv1alpha1.ReasonClassesDoNotFit, "In force, but: "+never
	default:
		c.Reason, c.Message = policyv1alpha1.ReasonInForce, "The budget is in force."
	}
	return c
}
