// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// overdue is a namespace whose expiry has passed.
type overdue struct {
	ns     *corev1.Namespace
	expiry time.Time
}

// Overdue returns how many namespaces have expired and are not being deleted, and the time
// since the earliest of these expiries.
func (m *Manager) Overdue() (n int, oldest time.Duration) {
	all := m.overdue(0)
	if len(all) > 0 {
		oldest = m.Now().Sub(all[0].expiry)
	}
	return len(all), oldest
}

// overdue returns the namespaces that expired more than a given time ago and are not being
// deleted, oldest first.
func (m *Manager) overdue(by time.Duration) []overdue {
	var out []overdue
	now := m.Now()
	for _, ns := range m.Cache.List() {
		if at := expiryOf(ns); !at.IsZero() && now.Sub(at) > by {
			out = append(out, overdue{ns, at})
		}
	}
	slices.SortFunc(out, func(a, b overdue) int {
		return cmp.Or(a.expiry.Compare(b.expiry), cmp.Compare(a.ns.Name, b.ns.Name))
	})
	return out
}

// expiryOf returns when a namespace is to be deleted; zero if that is not known, is never,
// or was begun.
func expiryOf(ns *corev1.Namespace) time.Time {
	if v1alpha1.OnHold(ns) || ns.DeletionTimestamp != nil {
		return time.Time{}
	}
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if err != nil {
		return time.Time{}
	}
	return life.Expiry(ns.CreationTimestamp.Time)
}

// Holds returns how many namespaces administrators keep from expiring.
func (m *Manager) Holds() int {
	n := 0
	for _, ns := range m.Cache.List() {
		if v1alpha1.OnHold(ns) {
			n++
		}
	}
	return n
}
