// SPDX-License-Identifier: Apache-2.0

// Package budgets watches the NamespaceBudgets of the cluster, puts them in force, and
// reports their usage in their status.
//
// The status is for people; nothing depends on it. Every replica sees the same usage
// and could write it. The replica named in the status does, and another takes over
// once the status has been outdated for some seconds.
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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/pkg/broker/policystore"
)

const (
	// writeInterval is the minimum time between two writes of a status.
	writeInterval = time.Second
	// reporterTimeout is how long a replica waits for the last reporter to update an outdated
	// status, before it writes the status itself.
	reporterTimeout = 3 * time.Second
)

// Tracker computes the usage of the budgets.
type Tracker interface {
	SetBudgets(all []*policyv1alpha1.NamespaceBudget)
	// Usage returns the status of each budget by name, without conditions, and the
	// used share of its limit that is nearest to exhaustion.
	Usage() (status map[string]policyv1alpha1.NamespaceBudgetStatus, full map[string]float64)
	// NeverFit returns, for each budget, why classes that reserve these amounts can
	// never create a namespace.
	NeverFit(reserved map[string]corev1.ResourceList) map[string]string
}

// Store watches the budgets of the cluster. All exported fields are required.
type Store struct {
	Tracker  Tracker
	Reserved func() map[string]corev1.ResourceList // amounts that a namespace of each class reserves
	Full     func(shares map[string]float64)       // called with the used share of each budget
	Replica  string
	Log      *slog.Logger

	budgets  *policystore.Store[policyv1alpha1.NamespaceBudget, *policyv1alpha1.NamespaceBudget]
	outdated map[string]time.Time // by name of the budget: since when its status is outdated
	enforce  sync.Mutex           // lists are put in force in the order in which they are read
}

// New initializes and returns s; c is a client of group policy.tenama.dev.
func New(c rest.Interface, s *Store) (*Store, error) {
	s.outdated = map[string]time.Time{}
	var err error
	onChange := func(old, now *policyv1alpha1.NamespaceBudget) {
		// A change of the status alone is none.
		if old == nil || now == nil || old.UID != now.UID || old.Generation != now.Generation {
			s.setBudgets()
		}
	}
	s.budgets, err = policystore.New(c, policyv1alpha1.BudgetResource.Resource, onChange)
	return s, err
}

// Start watches the budgets until ctx is done, and returns once all are in force.
func (s *Store) Start(ctx context.Context) error {
	if err := s.budgets.Start(ctx); err != nil {
		return err
	}
	s.setBudgets()
	return nil
}

func (s *Store) setBudgets() {
	s.enforce.Lock()
	defer s.enforce.Unlock()
	s.Tracker.SetBudgets(s.budgets.List())
}

// Run updates the status of the budgets until ctx is done.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(writeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		budgets := s.budgets.List()
		usage, full := s.Tracker.Usage()
		s.Full(full)
		if len(budgets) == 0 {
			continue
		}
		never := s.Tracker.NeverFit(s.Reserved())
		for _, b := range budgets {
			if err := s.report(ctx, b, usage[b.Name], never[b.Name]); err != nil && ctx.Err() == nil {
				s.Log.Warn("Updating the status of a budget failed; retrying", "budget", b.Name, "err", err)
			}
		}
	}
}

// report writes the status of a budget if it is outdated and this replica is the
// reporter, or takes over.
func (s *Store) report(ctx context.Context, b *policyv1alpha1.NamespaceBudget, now policyv1alpha1.NamespaceBudgetStatus,
	never string) error {
	now.ObservedGeneration, now.Reporter, now.Conditions = b.Generation, b.Status.Reporter,
		slices.Clone(b.Status.Conditions)
	meta.SetStatusCondition(&now.Conditions, judge(b, never))
	if equality.Semantic.DeepEqual(now, b.Status) {
		delete(s.outdated, b.Name)
		return nil
	}
	if b.Status.Reporter != s.Replica && b.Status.Reporter != "" {
		since, ok := s.outdated[b.Name]
		if !ok {
			s.outdated[b.Name] = time.Now()
		}
		if !ok || time.Since(since) < reporterTimeout {
			return nil
		}
	}
	now.Reporter = s.Replica
	b = b.DeepCopy()
	b.Status = now
	written, err := s.budgets.UpdateStatus(ctx, b)
	if err != nil {
		return fmt.Errorf("update status of budget %q: %w", b.Name, err)
	}
	if written {
		delete(s.outdated, b.Name)
	}
	return nil
}

// judge returns the Ready condition of a budget.
func judge(b *policyv1alpha1.NamespaceBudget, never string) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionReady, Status: metav1.ConditionTrue,
		ObservedGeneration: b.Generation}
	switch err := b.Spec.Check(); {
	case err != nil:
		c.Status, c.Reason = metav1.ConditionFalse, policyv1alpha1.ReasonInvalidLimit
		c.Message = strings.ReplaceAll(err.Error(), "\n", "; ") +
			"; no namespace that counts in the budget can be created until it is corrected"
	case never != "":
		c.Reason, c.Message = policyv1alpha1.ReasonClassesDoNotFit, "In force, but: "+never
	default:
		c.Reason, c.Message = policyv1alpha1.ReasonInForce, "The budget is in force."
	}
	return c
}
