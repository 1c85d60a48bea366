// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Reserve reserves, in this replica, the amounts of a namespace that is about
// to be created. It writes nothing to the cluster. The release function or the watch
// event of the namespace ends the reservation. Errors: Forbidden with the reason.
func (t *Tracker) Reserve(ctx context.Context, ns *corev1.Namespace) (release func(), err error) {
	u := usageOf(ns)
	for end := time.Now().Add(gracePeriod); ; {
		t.mu.Lock()
		wait := min(t.graceLeft(u), time.Until(end))
		if wait <= 0 {
			defer t.mu.Unlock()
			return t.reserve(u, u.reserved)
		}
		t.mu.Unlock()
		select { // otherwise the client that retries most often would get the freed amount
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// ReserveIncrease is Reserve for the additional amounts of an existing namespace.
func (t *Tracker) ReserveIncrease(ns *corev1.Namespace) (release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := usageOf(ns)
	before := t.usages[ns.Name]
	if before == nil || before.uid != u.uid {
		return nil, apierrors.NewServerTimeout(groupResource, "update", 1)
	}
	u.groups = before.groups
	return t.reserve(u, u.increase(before))
}

// reservation holds the amounts of a creation in progress.
type reservation struct {
	usage   *usage
	amounts corev1.ResourceList
	limits  []*limit // nil once it is released
}

func (t *Tracker) reserve(u *usage, amounts corev1.ResourceList) (func(), error) {
	if err := t.checkPossible(u); err != nil {
		return nil, err
	}
	// If the name exists, kube-apiserver decides: the request may be a retry, whose
	// namespace is charged already.
	if existing := t.usages[u.name]; existing != nil && existing.uid != u.uid && !existing.rejected &&
		!existing.terminating() {
		return func() {}, nil
	}
	limits := t.limits(u)
	if over := t.exceeded(limits, amounts, u.expires); len(over) > 0 {
		for _, s := range over {
			s.limit.rejectedAt = time.Now()
		}
		err := t.exceededError(u, over[0])
		dropUnused(limits)
		return nil, err
	}
	r := &reservation{usage: u, amounts: amounts}
	t.chargeReservation(r)
	t.reservations[u.name] = append(t.reservations[u.name], r)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.creditReservation(r)
		t.deleteReservation(r)
		t.signal()
	}, nil
}

// chargeReservation adds the amounts of r to its limits.
func (t *Tracker) chargeReservation(r *reservation) {
	r.limits = t.limits(r.usage)
	if r.limits == nil {
		r.limits = []*limit{}
	}
	for _, l := range r.limits {
		add(l.reserved, r.amounts, l.hard)
	}
}

// creditReservation subtracts the amounts of r from its limits.
func (t *Tracker) creditReservation(r *reservation) {
	for _, l := range r.limits {
		sub(l.reserved, r.amounts, l.hard)
	}
	dropUnused(r.limits)
	r.limits = nil
}

func (t *Tracker) deleteReservation(r *reservation) {
	left := t.reservations[r.usage.name][:0]
	for _, other := range t.reservations[r.usage.name] {
		if other != r {
			left = append(left, other)
		}
	}
	if t.reservations[r.usage.name] = left; len(left) == 0 {
		delete(t.reservations, r.usage.name)
	}
}
