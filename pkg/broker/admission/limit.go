// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"cmp"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// budget is a NamespaceBudget with its usage.
type budget struct {
	name    string
	spec    *policyv1alpha1.NamespaceBudgetSpec
	invalid error // why the spec is invalid

	total  *limit // nil if the spec has none
	users  map[string]*limit
	groups map[string]*limit
}

func newBudget(b *policyv1alpha1.NamespaceBudget) *budget {
	out := &budget{name: b.Name, spec: &b.Spec, invalid: b.Spec.Check(), users: map[string]*limit{},
		groups: map[string]*limit{}}
	if out.invalid != nil {
		return out
	}
	if len(b.Spec.Total) > 0 {
		out.total = newLimit(out, "", "", b.Spec.Total)
	}
	for _, g := range b.Spec.Groups {
		out.groups[g.Name] = newLimit(out, group, g.Name, g.Hard)
	}
	return out
}

// Scopes of a limit that does not apply to all users.
const (
	user  = "user"
	group = "group"
)

// limit is one of the limits of a budget, with its usage.
type limit struct {
	budget  *budget
	scope   string // "", user or group
	subject string
	hard    corev1.ResourceList
	keys    []corev1.ResourceName // of hard, sorted

	used       corev1.ResourceList               // by existing namespaces
	reserved   corev1.ResourceList               // reserved by this replica's creations in progress
	namespaces int                               // number of namespaces charged to it
	rejectedAt time.Time                         // when the limit last rejected a request
	graceUntil time.Time                         // until then, freed amounts are offered to queued requests only
	forecast   forecast                          // for those who are rejected, or ask for their position
	queued     map[corev1.ResourceName]*forecast // for the first request in the queue
}

func newLimit(b *budget, scope, subject string, hard corev1.ResourceList) *limit {
	l := &limit{budget: b, scope: scope, subject: subject, hard: policyv1alpha1.Normal(hard), used: corev1.ResourceList{},
		reserved: corev1.ResourceList{}, queued: map[corev1.ResourceName]*forecast{}}
	l.keys = slices.Sorted(maps.Keys(l.hard))
	return l
}

// limits returns the limits that u is charged to.
func (t *Tracker) limits(u *usage) []*limit {
	var out []*limit
	for _, b := range t.budgets {
		if !b.spec.Counts(u.class) || b.invalid != nil {
			continue
		}
		if b.total != nil {
			out = append(out, b.total)
		}
		if len(b.spec.PerUser) > 0 {
			l := b.users[u.owner]
			if l == nil {
				l = newLimit(b, user, u.owner, b.spec.PerUser)
				b.users[u.owner] = l
			}
			out = append(out, l)
		}
		for _, g := range u.groups {
			if l := b.groups[g]; l != nil {
				out = append(out, l)
			}
		}
	}
	return out
}

// dropUnused deletes the limits of users without a namespace or reservation.
func dropUnused(limits []*limit) {
	for _, l := range limits {
		if l.scope == user && l.namespaces == 0 && len(l.reserved) == 0 {
			delete(l.budget.users, l.subject)
		}
	}
}

// add adds to the sum in to those of the amounts that hard limits.
func add(to, amounts, hard corev1.ResourceList) {
	for k := range hard {
		if v, ok := amounts[k]; ok {
			sum := to[k].DeepCopy()
			sum.Add(v)
			to[k] = sum
		}
	}
}

func sub(from, amounts, hard corev1.ResourceList) {
	for k := range hard {
		if v, ok := amounts[k]; ok {
			sum := from[k].DeepCopy()
			sum.Sub(v)
			from[k] = sum
			if sum.IsZero() {
				delete(from, k)
			}
		}
	}
}

// limitKey is one resource of a limit.
type limitKey struct {
	limit *limit
	key   corev1.ResourceName
}

// exceeded returns the resources of which the amounts, added to usage and reservations,
// would exceed a limit, or which are kept for a queued request. Until there is room for that
// one, its share is lent to what expires before; ends is zero for what does not expire.
func (t *Tracker) exceeded(limits []*limit, amounts corev1.ResourceList, ends time.Time) []limitKey {
	var out []limitKey
	// The user's own limits come first: only the user can free those.
	for _, l := range slices.SortedStableFunc(slices.Values(limits), func(a, b *limit) int {
		return cmp.Compare(b.scope, a.scope)
	}) {
		for _, k := range l.keys {
			want, ok := amounts[k]
			if !ok || want.Sign() <= 0 {
				continue
			}
			sum := l.used[k].DeepCopy()
			sum.Add(want)
			sum.Add(l.reserved[k])
			key := limitKey{l, k}
			roomAt, kept := t.queue.contended[key]
			if sum.Cmp(l.hard[k]) > 0 || kept && (ends.IsZero() || ends.After(roomAt)) {
				out = append(out, key)
			}
		}
	}
	return out
}
