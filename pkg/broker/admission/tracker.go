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

// View holds the namespaces and budgets that one replica knows. OnList, OnUpdate and
// OnDelete must be called in the order of the watch, by one goroutine.
type View struct {
	mu      sync.Mutex // guards all fields
	claims  map[string]*claim
	owners  map[string]map[string]*claim
	budgets []*budget
	holds   map[string][]*hold // by name of the namespace to create
	line    line
}

// New returns a View without namespaces and budgets.
func New() *View {
	return &View{claims: map[string]*claim{}, owners: map[string]map[string]*claim{}, holds: map[string][]*hold{}, line: line{served: map[string]time.Time{}, given: map[string]*place{}}}
}

// SetBudgets replaces the budgets in force with all.
func (v *View) SetBudgets(all []*policyv1alpha1.NamespaceBudget) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.budgets = nil
	for _, b := range all {
		v.budgets = append(v.budgets, newBudget(b.DeepCopy()))
	}
	v.recount()
}

// recount recomputes the usage of all limits from the claims and reservations.
func (v *View) recount() {
	for _, b := range v.budgets {
		b.users = map[string]*limit{}
		for _, l := range b.groups {
			l.used, l.held, l.claims = corev1.ResourceList{}, corev1.ResourceList{}, 0
		}
		if l := b.total; l != nil {
			l.used, l.held, l.claims = corev1.ResourceList{}, corev1.ResourceList{}, 0
		}
	}
	for _, c := range v.claims {
		v.charge(c)
	}
	for _, held := range v.holds {
		for _, h := range held {
			if h.limits != nil {
				v.take(h)
			}
		}
	}
	v.sweep()
}

func (v *View) charge(c *claim) {
	if c.refused {
		return
	}
	for _, l := range v.limits(c) {
		l.claims++
		add(l.used, c.reserved, l.hard)
	}
}

// discharge releases the amounts of c. If a limit recently rejected a request, the
// freed amount is offered to queued requests first, for the grace period.
func (v *View) discharge(c *claim) {
	if c.refused {
		return
	}
	limits := v.limits(c)
	for _, l := range limits {
		l.claims--
		sub(l.used, c.reserved, l.hard)
		if l.scope != user && time.Since(l.refused) < contended {
			l.grace = time.Now().Add(grace)
		}
	}
	forget(limits)
}

// Groups returns those of the given groups that a budget names, sorted.
func (v *View) Groups(of []string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for _, g := range of {
		for _, b := range v.budgets {
			if b.groups[g] != nil && !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	slices.Sort(out)
	return out
}

// OnUpdate records the watch event of a new or changed namespace.
func (v *View) OnUpdate(ns *corev1.Namespace) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.saw(claimOf(ns), false) {
		v.stir()
	}
}

// saw records a claim, and reports whether the charged amounts have changed.
func (v *View) saw(c *claim, listed bool) bool {
	before := v.claims[c.name]
	if before != nil && before.uid != c.uid { // deleted and recreated
		v.lost(before)
		before = nil
	}
	if before == nil {
		for _, h := range v.holds[c.name] {
			v.give(h) // from now on the namespace itself is charged
		}
	} else {
		c.fits, c.listed = before.fits, before.listed
		if same(c, before) {
			v.keep(c)
			return false
		}
		v.discharge(before)
	}
	v.keep(c)
	v.charge(c)
	if before == nil || c.grew(before) {
		c.listed = listed
		c.fits = !listed && v.within(c)
	}
	return true
}

func same(a, b *claim) bool { return a.refused == b.refused && !a.grew(b) && !b.grew(a) }

func (v *View) keep(c *claim) {
	v.claims[c.name] = c
	own := v.owners[c.owner]
	if own == nil {
		own = map[string]*claim{}
		v.owners[c.owner] = own
	}
	own[c.name] = c
}

// OnDelete records the watch event of a deleted namespace.
func (v *View) OnDelete(ns *corev1.Namespace) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.claims[ns.Name]; c != nil && c.uid == ns.UID {
		v.lost(c)
		v.stir()
	}
}

func (v *View) lost(c *claim) {
	v.discharge(c)
	delete(v.claims, c.name)
	if own := v.owners[c.owner]; own != nil {
		if delete(own, c.name); len(own) == 0 {
			delete(v.owners, c.owner)
		}
	}
}

// OnList records the existing namespaces, after the order of events was lost.
func (v *View) OnList(all []*corev1.Namespace) {
	v.mu.Lock()
	defer v.mu.Unlock()
	there := map[string]bool{}
	for _, ns := range all {
		there[ns.Name] = true
	}
	for name, c := range v.claims {
		if !there[name] {
			v.lost(c)
		}
	}
	for _, ns := range all {
		v.saw(claimOf(ns), true)
	}
	v.sweep()
}

// within reports whether the existing namespaces fit into every limit of every
// resource that c is charged to.
func (v *View) within(c *claim) bool {
	for _, l := range v.limits(c) {
		for k, hard := range l.hard {
			if want := c.reserved[k]; want.Sign() > 0 && hard.Cmp(l.used[k]) < 0 {
				return false
			}
		}
	}
	return true
}

// Admitted returns nil if a namespace that OnUpdate or OnList has recorded, and that
// is not ready yet, may be completed. Errors: Forbidden if it does not fit, with the
// reason; ServerTimeout if that is unknown; NotFound.
func (v *View) Admitted(ns *corev1.Namespace) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.claims[ns.Name]
	switch {
	case c == nil || c.uid != ns.UID:
		return apierrors.NewNotFound(groupResource, ns.Name)
	case c.refused:
		return apierrors.NewServerTimeout(groupResource, "create", 1)
	case c.fits || v.within(c):
		return nil
	case c.listed:
		return apierrors.NewServerTimeout(groupResource, "create", 1)
	}
	for _, l := range v.limits(c) {
		for _, k := range l.keys {
			want, hard := c.reserved[k], l.hard[k]
			if want.Sign() > 0 && hard.Cmp(l.used[k]) < 0 {
				return v.full(c, shortage{l, k})
			}
		}
	}
	return apierrors.NewServerTimeout(groupResource, "create", 1)
}
