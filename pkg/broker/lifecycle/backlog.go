// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// A namespace is deleted within milliseconds of its expiry. One that is overdue by more than
// lateAfter was not deleted in time: the broker was down or not contained, kube-apiserver
// refused the deletion, or an administrator paused the expiries or ended a hold. Then:
//
//   - Each late namespace gets a grace from the moment when the broker could have deleted it,
//     so that its owner, who may not have been able to extend it, is not too late. If the
//     broker cannot act when the grace is over, a new one begins when it can.
//   - Late namespaces are deleted oldest first, and at a pace that leaves kube-apiserver and
//     the namespace controller time for others.
//   - If more than MaxOverdue are late at once, each of them waits until an administrator has
//     confirmed it: a restored backup, or a wrong clock, must not end all that is lent.
//
// The grace and the pace are measured by the monotonic clock, so a change of the server's
// clock makes them neither longer nor shorter. Each replica decides for itself.
const (
	// lateAfter is by how much a namespace is overdue that is late. An update of the broker
	// takes less.
	lateAfter = 30 * time.Second
	// pace is the time between two deletions of late namespaces. The namespace controller
	// empties two to four namespaces a second.
	pace = 100 * time.Millisecond
	// askAgain is how long the instructions of an administrator are waited for at a time.
	askAgain = 10 * time.Second
)

// backlog are the late namespaces. The zero value is empty.
type backlog struct {
	mu   sync.Mutex
	late map[string]*late // by name
	next time.Time        // the next deletion that the pace allows
	// held is set while late namespaces wait for a confirmation: from the time when they are
	// too many until each of them is confirmed, extended or gone.
	held    bool
	counted time.Time // when held was decided
}

// late is a namespace that was not deleted in time. Its times are of the monotonic clock.
type late struct {
	uid    types.UID
	expiry time.Time // of the server's clock
	from   time.Time // the end of the grace
	turn   time.Time // when it may be deleted; zero until the grace is over and it is confirmed
}

// mayExpire returns how long a namespace that has expired has to wait before it may be
// deleted, or before this is asked again; zero is not at all.
func (m *Manager) mayExpire(ns *corev1.Namespace, expiry time.Time, told instructions) time.Duration {
	if m.Now().Sub(expiry) <= lateAfter {
		return 0
	}
	b, now := &m.backlog, m.monotonic()
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.late[ns.Name]
	if l == nil || l.uid != ns.UID {
		m.findLate(now)
		l = b.late[ns.Name]
	}
	if l == nil { // it is not in the cache any more
		return askAgain
	}
	l.expiry = expiry
	if now.Before(l.from) {
		return l.from.Sub(now)
	}
	m.decide(told, now)
	if b.held && !expiry.Before(told.confirmed) {
		return askAgain
	}
	if l.turn.IsZero() {
		b.giveTurns(told, now)
	}
	return max(0, l.turn.Sub(now))
}

// findLate gives a grace to each late namespace that has none. The backlog is locked.
func (m *Manager) findLate(now time.Time) {
	b := &m.backlog
	if b.late == nil {
		b.late = map[string]*late{}
	}
	n, oldest := 0, time.Time{}
	for _, o := range m.overdue(lateAfter) {
		if l := b.late[o.ns.Name]; l != nil && l.uid == o.ns.UID {
			continue
		}
		b.late[o.ns.Name] = &late{uid: o.ns.UID, expiry: o.expiry, from: now.Add(m.Grace)}
		if n++; n == 1 {
			oldest = o.expiry
		}
	}
	if n > 0 {
		m.Log.Warn("Namespaces were not deleted in time; their owners can extend them until their deletion begins",
			"namespaces", n, "oldestExpiry", oldest.UTC().Format(time.RFC3339),
			"deletionFrom", m.Now().Add(m.Grace).UTC().Format(time.RFC3339))
	}
}

// decide decides, at most once a second, whether late namespaces wait for a confirmation. The
// backlog is locked.
func (m *Manager) decide(told instructions, now time.Time) {
	b := &m.backlog
	if now.Sub(b.counted) < time.Second {
		return
	}
	b.counted = now
	unconfirmed, there := 0, map[types.UID]bool{}
	for _, o := range m.overdue(lateAfter) {
		there[o.ns.UID] = true
		if !o.expiry.Before(told.confirmed) {
			unconfirmed++
		}
	}
	maps.DeleteFunc(b.late, func(_ string, l *late) bool { return !there[l.uid] })
	switch {
	case !b.held && m.MaxOverdue > 0 && unconfirmed > m.MaxOverdue:
		b.held = true
		m.Log.Error("Too many namespaces are overdue: none of them is deleted before an administrator confirms it by "+
			"annotation "+v1alpha1.AnnotationConfirmExpiry+" of ClusterRole "+v1alpha1.ClusterRoleBroker,
			"overdue", unconfirmed, "maximum", m.MaxOverdue)
	case b.held && unconfirmed == 0:
		b.held = false
		m.Log.Warn("Expiries continue: all that is overdue is confirmed, was extended or is gone")
	}
}

// giveTurns gives a turn to each namespace whose grace is over and which need not wait for a
// confirmation, oldest first. The backlog is locked.
func (b *backlog) giveTurns(told instructions, now time.Time) {
	var ready []*late
	for _, l := range b.late {
		if l.turn.IsZero() && !now.Before(l.from) && (!b.held || l.expiry.Before(told.confirmed)) {
			ready = append(ready, l)
		}
	}
	slices.SortFunc(ready, func(a, b *late) int {
		return cmp.Or(a.expiry.Compare(b.expiry), cmp.Compare(a.uid, b.uid))
	})
	for _, l := range ready {
		if b.next.Before(now) {
			b.next = now
		}
		l.turn = b.next
		b.next = b.next.Add(pace)
	}
}

// forget ends the grace of a namespace: it is gone, was extended or is on hold, or it cannot
// be deleted now. In the last case it gets a new grace.
func (b *backlog) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.late, name)
}

// monotonic returns the local time.
func (m *Manager) monotonic() time.Time {
	if m.local != nil {
		return m.local()
	}
	return time.Now()
}
