// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math/rand/v2"
	"slices"
	"time"
)

// dispatch grants free amounts to the queued requests in their order, and drops the
// requests whose clients no longer retry.
func (t *Tracker) dispatch() {
	q := &t.queue
	q.contended = nil
	now := time.Now()
	q.dispatched = now
	if len(q.tickets) == 0 {
		return
	}
	q.contended = map[limitKey]bool{}
	turn := func(w *ticket) time.Time {
		if last := q.lastGrant[w.usage.owner]; last.After(w.since) {
			return last
		}
		return w.since
	}
	slices.SortStableFunc(q.tickets, func(a, b *ticket) int { return turn(a).Compare(turn(b)) })
	next := now.Add(time.Minute)
	soon := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	left := q.tickets[:0]
	for _, w := range q.tickets {
		if w.ready == nil && now.Sub(w.lastSeen) > ticketTTL {
			dropUnused(t.limits(w.usage))
			continue
		}
		limits := t.limits(w.usage)
		w.usage.waitsFor = t.exceeded(limits, w.usage.reserved)
		// A request at its user's own limit cannot be granted by amounts that others
		// free, so it must not block others.
		atOwnLimit := slices.ContainsFunc(w.usage.waitsFor, func(s limitKey) bool { return s.limit.scope == user })
		for _, s := range w.usage.waitsFor {
			s.limit.rejectedAt = now
		}
		retries := w.ready != nil || now.Sub(w.lastSeen) <= retryWindow
		existing := t.usages[w.usage.name] // the namespace of an earlier grant that lost its race
		switch {
		case existing != nil && (existing.rejected || existing.terminating):
			retries = false
		case len(w.usage.waitsFor) > 0:
			w.notBefore = time.Time{}
		case !retries: // the client is not expected to retry soon
		case w.ready == nil:
			w.usage.waitsFor = allKeys(limits, w.usage)
			soon(w.lastSeen.Add(retryWindow))
		case w.notBefore.IsZero() && now.Sub(w.since) > jitter: // other replicas probably wait, too
			w.notBefore = now.Add(rand.N(jitter))
			fallthrough
		case now.Before(w.notBefore):
			w.usage.waitsFor = allKeys(limits, w.usage)
			soon(w.notBefore)
		default:
			if release, err := t.grant(w); err == nil {
				w.ready <- release
				w.lastSeen, w.previousGrant = now, q.lastGrant[w.usage.owner]
				q.lastGrant[w.usage.owner] = now
				q.granted[w.usage.owner+"\x00"+w.id] = w
				continue
			}
		}
		for _, s := range w.usage.waitsFor {
			if retries && (!atOwnLimit || s.limit.scope == user) {
				q.contended[s] = true
			}
		}
		if w.ready == nil {
			soon(w.lastSeen.Add(ticketTTL))
		}
		left = append(left, w)
	}
	clear(q.tickets[len(left):])
	q.tickets = left
	for owner, at := range q.lastGrant {
		if now.Sub(at) > time.Hour {
			delete(q.lastGrant, owner)
		}
	}
	for key, w := range q.granted {
		if now.Sub(w.lastSeen) > 2*ticketTTL {
			delete(q.granted, key)
		}
	}
	if len(q.tickets) > 0 {
		t.scheduleDispatch(time.Until(next))
	}
}

// allKeys returns every resource of limits that u reserves.
func allKeys(limits []*limit, u *usage) []limitKey {
	var out []limitKey
	for _, l := range limits {
		for _, k := range l.keys {
			if want := u.reserved[k]; want.Sign() > 0 {
				out = append(out, limitKey{l, k})
			}
		}
	}
	return out
}

// grant reserves the amounts that p waits for.
func (t *Tracker) grant(w *ticket) (func(), error) {
	contended := t.queue.contended
	t.queue.contended = nil // p is next in the queue
	defer func() { t.queue.contended = contended }()
	return t.reserve(w.usage, w.usage.reserved)
}

// scheduleDispatch calls dispatch after d.
func (t *Tracker) scheduleDispatch(d time.Duration) {
	q, d := &t.queue, max(d, time.Millisecond)
	at := time.Now().Add(d)
	if q.timer != nil && q.timerAt.After(time.Now()) && q.timerAt.Before(at) {
		return // the timer fires earlier
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	q.timerAt = at
	q.timer = time.AfterFunc(d, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.dispatch()
	})
}
