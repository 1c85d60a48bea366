// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"cmp"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// A namespace is deleted within milliseconds of its expiry. What is overdue by seconds was
// not deleted in time: the broker was down or not contained, kube-apiserver did not answer,
// or an administrator paused the expiries or ended a hold. Then:
//
//   - what is overdue is deleted oldest first, and at a pace that leaves kube-apiserver and
//     the namespace controller time for others;
//   - what is overdue by more than the grace gets the grace again from then on, so that its
//     owner, who may not have been able to extend it, is not too late;
//   - if more than a set number is overdue by more than the grace, none of them is deleted
//     before an administrator confirms it. Restoring a cluster from a backup, or a wrong
//     clock, must not end everything that is lent.
//
// Each replica decides for itself: both come to nearly the same times, and whose deletion
// is later finds the namespace deleted.
const (
	// behindAfter is how much a namespace is overdue that waits for its turn.
	behindAfter = 10 * time.Second
	// pace is the time between two turns. The namespace controller empties two to four
	// namespaces a second.
	pace = 100 * time.Millisecond
	// askAgain is how long the instructions of an administrator are waited for at a time.
	askAgain = 10 * time.Second
)

// backlog are the namespaces that were not deleted in time. The zero value is empty.
type backlog struct {
	mu    sync.Mutex
	turns map[string]turn // by name
	// next are the earliest turns that are free, without a grace and after one.
	next, nextGraced time.Time
	counted          time.Time // when unconfirmed was counted
	unconfirmed      int
	waits            bool // for a confirmation; for the log
}

// turn is when a namespace may be deleted.
type turn struct {
	uid types.UID
	at  time.Time
}

// overdue is a namespace whose expiry has passed.
type overdue struct {
	ns     *corev1.Namespace
	expiry time.Time
}

// mayExpire returns zero if a namespace that has expired may be deleted now, or else when
// to ask again.
func (m *Manager) mayExpire(ns *corev1.Namespace, expiry time.Time, told instructions) time.Time {
	b, now := &m.backlog, m.Now()
	if now.Sub(expiry) < behindAfter {
		return time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.turns[ns.Name]
	if t.uid != ns.UID {
		m.giveTurns(now)
		t = b.turns[ns.Name]
	}
	if now.Before(t.at) {
		return t.at
	}
	if now.Sub(expiry) <= m.Grace || m.MaxOverdue <= 0 || expiry.Before(told.confirmed) {
		return time.Time{}
	}
	n := m.countUnconfirmed(now, told.confirmed)
	switch waits := n > m.MaxOverdue; {
	case waits && !b.waits:
		m.Log.Error("Too many namespaces are overdue: none of them is deleted before an administrator confirms it by "+
			"annotation "+v1alpha1.AnnotationConfirmExpiry+" of ClusterRole "+v1alpha1.ClusterRoleBroker,
			"overdue", n, "maximum", m.MaxOverdue, "notATime", told.invalid)
	case !waits && b.waits:
		m.Log.Warn("Expiries continue: fewer namespaces are overdue", "overdue", n, "maximum", m.MaxOverdue)
	}
	if b.waits = n > m.MaxOverdue; b.waits {
		return now.Add(askAgain)
	}
	return time.Time{}
}

// giveTurns gives each namespace that is behind and has no turn the next free one, oldest
// first. The backlog is locked.
func (m *Manager) giveTurns(now time.Time) {
	b := &m.backlog
	if b.turns == nil {
		b.turns = map[string]turn{}
	}
	b.next, b.nextGraced = latest(b.next, now), latest(b.nextGraced, now.Add(m.Grace))
	graced, oldest := 0, time.Time{}
	for _, o := range m.overdue(now, behindAfter) {
		if b.turns[o.ns.Name].uid == o.ns.UID {
			continue
		}
		next := &b.next
		if now.Sub(o.expiry) > m.Grace {
			next = &b.nextGraced
			if graced++; graced == 1 {
				oldest = o.expiry
			}
		}
		b.turns[o.ns.Name] = turn{o.ns.UID, *next}
		*next = next.Add(pace)
	}
	if graced > 0 {
		m.Log.Warn("Namespaces were not deleted in time; until the deletion begins, their owners can extend them",
			"namespaces", graced, "oldestExpiry", oldest.UTC().Format(time.RFC3339),
			"deletionFrom", now.Add(m.Grace).UTC().Format(time.RFC3339))
	}
}

// forget ends the turn of a namespace that is gone, was extended or is on hold.
func (b *backlog) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.turns, name)
}

// countUnconfirmed returns how many namespaces are overdue by more than the grace whose
// deletion no administrator confirmed. The backlog is locked.
func (m *Manager) countUnconfirmed(now, confirmed time.Time) int {
	b := &m.backlog
	if now.Sub(b.counted) < time.Second {
		return b.unconfirmed
	}
	b.counted, b.unconfirmed = now, 0
	for _, o := range m.overdue(now, m.Grace) {
		if !o.expiry.Before(confirmed) {
			b.unconfirmed++
		}
	}
	return b.unconfirmed
}

// Overdue returns how many namespaces have expired and are not being deleted, and since
// when the oldest of them.
func (m *Manager) Overdue() (n int, oldest time.Duration) {
	now := m.Now()
	all := m.overdue(now, 0)
	if len(all) > 0 {
		oldest = now.Sub(all[0].expiry)
	}
	return len(all), oldest
}

// Holds returns how many namespaces administrators keep from expiring.
func (m *Manager) Holds() int {
	n := 0
	for _, ns := range m.Cache.List() {
		if _, held := v1alpha1.OnHold(ns); held {
			n++
		}
	}
	return n
}

// overdue returns the namespaces that expired more than a given time ago and should have
// been deleted, oldest first.
func (m *Manager) overdue(now time.Time, by time.Duration) []overdue {
	var out []overdue
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
	if _, held := v1alpha1.OnHold(ns); held || ns.DeletionTimestamp != nil {
		return time.Time{}
	}
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if err != nil {
		return time.Time{}
	}
	return life.Expiry(ns.CreationTimestamp.Time)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
