// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

var groupResource = v1alpha1.Resource.GroupResource()

// Tracker holds the namespaces and budgets that one replica knows. OnList, OnUpdate and
// OnDelete must be called in the order of the watch, by one goroutine.
type Tracker struct {
	mu           sync.Mutex // guards all fields
	usages       map[string]*usage
	owners       map[string]map[string]*usage
	budgets      []*budget
	reservations map[string][]*reservation // by name of the namespace to create
	queue        queue
	amounts      map[string]corev1.ResourceList // of namespaces, by their annotation
}

// New returns a Tracker without namespaces and budgets.
func New() *Tracker {
	return &Tracker{
		usages: map[string]*usage{}, owners: map[string]map[string]*usage{}, reservations: map[string][]*reservation{},
		amounts: map[string]corev1.ResourceList{},
		queue:   queue{lastGrant: map[string]time.Time{}, granted: map[string]*ticket{}},
	}
}

// SetBudgets replaces the budgets in force with all.
func (t *Tracker) SetBudgets(all []*policyv1alpha1.NamespaceBudget) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.budgets = nil
	for _, b := range all {
		t.budgets = append(t.budgets, newBudget(b.DeepCopy()))
	}
	t.recount()
}

// recount recomputes the usage of all limits from the namespaces and reservations.
func (t *Tracker) recount() {
	for _, b := range t.budgets {
		b.users = map[string]*limit{}
		for _, l := range b.groups {
			l.used, l.reserved, l.namespaces = corev1.ResourceList{}, corev1.ResourceList{}, 0
		}
		if l := b.total; l != nil {
			l.used, l.reserved, l.namespaces = corev1.ResourceList{}, corev1.ResourceList{}, 0
		}
	}
	for _, u := range t.usages {
		t.charge(u)
	}
	for _, rs := range t.reservations {
		for _, r := range rs {
			if r.limits != nil {
				t.chargeReservation(r)
			}
		}
	}
	t.dispatch()
}

// charge adds the amounts of u to its limits.
func (t *Tracker) charge(u *usage) {
	if u.rejected {
		return
	}
	for _, l := range t.limits(u) {
		l.namespaces++
		add(l.used, u.reserved, l.hard)
	}
}

// credit subtracts the amounts of u from its limits. If a limit recently rejected a request, the
// freed amount is offered to queued requests first, for the grace period.
func (t *Tracker) credit(u *usage) {
	if u.rejected {
		return
	}
	limits := t.limits(u)
	for _, l := range limits {
		l.namespaces--
		sub(l.used, u.reserved, l.hard)
		if l.scope != user && time.Since(l.rejectedAt) < contentionPeriod {
			l.graceUntil = time.Now().Add(gracePeriod)
		}
	}
	dropUnused(limits)
}

// Groups returns those of the given groups that a budget names, sorted.
func (t *Tracker) Groups(of []string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for _, g := range of {
		for _, b := range t.budgets {
			if b.groups[g] != nil && !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	slices.Sort(out)
	return out
}

// OnUpdate records the watch event of a new or changed namespace.
func (t *Tracker) OnUpdate(ns *corev1.Namespace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.upsert(t.shared(ns), false) {
		t.signal()
	}
}

// upsert records the usage of a namespace, and reports whether the charged amounts have changed.
func (t *Tracker) upsert(u *usage, listed bool) bool {
	before := t.usages[u.name]
	if before != nil && before.uid != u.uid { // deleted and recreated
		t.remove(before)
		before = nil
	}
	if before == nil {
		for _, r := range t.reservations[u.name] {
			t.creditReservation(r) // from now on the namespace itself is charged
		}
	} else {
		u.fits, u.listed = before.fits, before.listed
		if sameAmounts(u, before) {
			t.store(u)
			return false
		}
		t.credit(before)
	}
	t.store(u)
	t.charge(u)
	if before == nil || u.increased(before) {
		u.listed = listed
		u.fits = !listed && t.fitsLimits(u)
	}
	return true
}

func sameAmounts(a, b *usage) bool {
	return a.rejected == b.rejected && !a.increased(b) && !b.increased(a)
}

func (t *Tracker) store(u *usage) {
	t.usages[u.name] = u
	own := t.owners[u.owner]
	if own == nil {
		own = map[string]*usage{}
		t.owners[u.owner] = own
	}
	own[u.name] = u
}

// OnDelete records the watch event of a deleted namespace.
func (t *Tracker) OnDelete(ns *corev1.Namespace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.usages[ns.Name]; u != nil && u.uid == ns.UID {
		t.remove(u)
		t.signal()
	}
}

func (t *Tracker) remove(u *usage) {
	t.credit(u)
	delete(t.usages, u.name)
	if own := t.owners[u.owner]; own != nil {
		if delete(own, u.name); len(own) == 0 {
			delete(t.owners, u.owner)
		}
	}
}

// OnList records the existing namespaces, after the order of events was lost.
func (t *Tracker) OnList(all []*corev1.Namespace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	exists := map[string]bool{}
	for _, ns := range all {
		exists[ns.Name] = true
	}
	for name, u := range t.usages {
		if !exists[name] {
			t.remove(u)
		}
	}
	for _, ns := range all {
		t.upsert(t.shared(ns), true)
	}
	t.dispatch()
}

// fitsLimits reports whether the existing namespaces fit into every limit of every
// resource that u is charged to.
func (t *Tracker) fitsLimits(u *usage) bool {
	for _, l := range t.limits(u) {
		for k, hard := range l.hard {
			if want := u.reserved[k]; want.Sign() > 0 && hard.Cmp(l.used[k]) < 0 {
				return false
			}
		}
	}
	return true
}

// Admitted returns nil if a namespace that OnUpdate or OnList has recorded, and that
// is not ready yet, may be completed. Errors: Forbidden if it does not fit, with the
// reason; ServerTimeout if that is unknown; NotFound.
func (t *Tracker) Admitted(ns *corev1.Namespace) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.usages[ns.Name]
	switch {
	case u == nil || u.uid != ns.UID:
		return apierrors.NewNotFound(groupResource, ns.Name)
	case u.rejected:
		return apierrors.NewServerTimeout(groupResource, "create", 1)
	case u.fits || t.fitsLimits(u):
		return nil
	case u.listed:
		return apierrors.NewServerTimeout(groupResource, "create", 1)
	}
	for _, l := range t.limits(u) {
		for _, k := range l.keys {
			want, hard := u.reserved[k], l.hard[k]
			if want.Sign() > 0 && hard.Cmp(l.used[k]) < 0 {
				return t.exceededError(u, limitKey{l, k})
			}
		}
	}
	return apierrors.NewServerTimeout(groupResource, "create", 1)
}
