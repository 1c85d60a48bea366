// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Reserve reserves, in this replica's view, the amounts of a namespace that is about
// to be created. It writes nothing to the cluster. The release function or the watch
// event of the namespace ends the reservation. Errors: Forbidden with the reason.
func (v *View) Reserve(ctx context.Context, ns *corev1.Namespace) (release func(), err error) {
	c := claimOf(ns)
	for end := time.Now().Add(grace); ; {
		v.mu.Lock()
		wait := min(v.patience(c), time.Until(end))
		if wait <= 0 {
			defer v.mu.Unlock()
			return v.hold(c, c.reserved)
		}
		v.mu.Unlock()
		select { // otherwise the client that retries most often would get the freed amount
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// ReserveIncrease is Reserve for the additional amounts of an existing namespace.
func (v *View) ReserveIncrease(ns *corev1.Namespace) (release func(), err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := claimOf(ns)
	before := v.claims[ns.Name]
	if before == nil || before.uid != c.uid {
		return nil, apierrors.NewServerTimeout(groupResource, "update", 1)
	}
	c.groups = before.groups
	return v.hold(c, c.beyond(before))
}

// hold is the reservation of a creation in progress.
type hold struct {
	claim   *claim
	amounts corev1.ResourceList
	limits  []*limit // nil once it is released
}

func (v *View) hold(c *claim, amounts corev1.ResourceList) (func(), error) {
	if err := v.impossible(c); err != nil {
		return nil, err
	}
	// If the name exists, kube-apiserver decides: the request may be a retry, whose
	// namespace is charged already.
	if there := v.claims[c.name]; there != nil && there.uid != c.uid && !there.refused && !there.ending {
		return func() {}, nil
	}
	limits := v.limits(c)
	if short := v.short(limits, amounts); len(short) > 0 {
		for _, s := range short {
			s.limit.refused = time.Now()
		}
		err := v.full(c, short[0])
		forget(limits)
		return nil, err
	}
	h := &hold{claim: c, amounts: amounts}
	v.take(h)
	v.holds[c.name] = append(v.holds[c.name], h)
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.give(h)
		v.drop(h)
		v.stir()
	}, nil
}

func (v *View) take(h *hold) {
	h.limits = v.limits(h.claim)
	if h.limits == nil {
		h.limits = []*limit{}
	}
	for _, l := range h.limits {
		add(l.held, h.amounts, l.hard)
	}
}

func (v *View) give(h *hold) {
	for _, l := range h.limits {
		sub(l.held, h.amounts, l.hard)
	}
	forget(h.limits)
	h.limits = nil
}

func (v *View) drop(h *hold) {
	left := v.holds[h.claim.name][:0]
	for _, other := range v.holds[h.claim.name] {
		if other != h {
			left = append(left, other)
		}
	}
	if v.holds[h.claim.name] = left; len(left) == 0 {
		delete(v.holds, h.claim.name)
	}
}
