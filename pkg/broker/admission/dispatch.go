// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// dispatch grants free amounts to the queued requests in their order, and drops the
// requests whose clients no longer retry.
func (t *Tracker) dispatch() {
	q, now := &t.queue, time.Now()
	q.contended, q.dispatched = nil, now
	if len(q.tickets) == 0 {
		return
	}
	q.contended = map[limitKey]time.Time{}
	q.sortByTurn()
	next := now.Add(time.Minute)
	left := q.tickets[:0]
	for _, w := range q.tickets {
		stays, again := t.serve(w, now)
		if !stays {
			continue
		}
		if again.Before(next) {
			next = again
		}
		left = append(left, w)
	}
	clear(q.tickets[len(left):])
	q.tickets = left
	q.dropOutdated(now)
	if len(q.tickets) > 0 {
		t.scheduleDispatch(time.Until(next))
	}
}

// sortByTurn sorts the queue by the time since which a request has waited, or since
// which its owner has waited for a further grant.
func (q *queue) sortByTurn() {
	turn := func(w *ticket) time.Time {
		if last := q.lastGrant[w.usage.owner]; last.After(w.since) {
			return last
		}
		return w.since
	}
	slices.SortStableFunc(q.tickets, func(a, b *ticket) int { return turn(a).Compare(turn(b)) })
}

// serve grants a request what it waits for, or determines what it waits for. It
// reports whether the request stays in the queue, and when to try again at the latest.
func (t *Tracker) serve(w *ticket, now time.Time) (stays bool, again time.Time) {
	again = now.Add(time.Minute)
	limits := t.limits(w.usage)
	if w.ready == nil {
		if now.Sub(w.lastSeen) > ticketTTL {
			dropUnused(limits)
			return false, again
		}
		again = w.lastSeen.Add(ticketTTL)
	}
	full := t.exceeded(limits, w.usage.reserved, w.usage.expires)
	w.usage.waitsFor = full
	// A request at its user's own limit cannot be granted by amounts that others
	// free, so it must not block others.
	atOwnLimit := slices.ContainsFunc(w.usage.waitsFor, func(s limitKey) bool { return s.limit.scope == user })
	for _, s := range w.usage.waitsFor {
		s.limit.rejectedAt = now
	}
	retries := w.ready != nil || now.Sub(w.lastSeen) <= retryWindow
	existing := t.usages[w.usage.name] // the namespace of an earlier grant that lost its race
	switch {
	case existing != nil && (existing.rejected || existing.terminating()):
		retries = false
	case len(w.usage.waitsFor) > 0:
		w.notBefore = time.Time{}
	case !retries: // the client is not expected to retry soon
	case w.ready == nil:
		w.usage.waitsFor = allKeys(limits, w.usage)
		again = w.lastSeen.Add(retryWindow)
	case w.notBefore.IsZero() && now.Sub(w.since) > jitter: // other replicas probably wait, too
		w.notBefore = now.Add(rand.N(jitter))
		fallthrough
	case now.Before(w.notBefore):
		w.usage.waitsFor = allKeys(limits, w.usage)
		again = w.notBefore
	default:
		if t.grant(w, now) {
			return false, again
		}
	}
	for _, s := range w.usage.waitsFor {
		if _, kept := t.queue.contended[s]; kept || !retries || atOwnLimit && s.limit.scope != user {
			continue
		}
		if !slices.Contains(full, s) { // there is room, and its client is about to take it
			t.queue.contended[s] = time.Time{}
			continue
		}
		if s.limit.queued[s.key] == nil {
			s.limit.queued[s.key] = &forecast{}
		}
		t.queue.contended[s] = t.freeAt(s.limit.queued[s.key], s, w.usage.reserved[s.key])
	}
	return true, again
}

// dropOutdated drops owners that have not been granted anything for a long time, and
// grants that can no longer lose a race.
func (q *queue) dropOutdated(now time.Time) {
	maps.DeleteFunc(q.lastGrant, func(_ string, at time.Time) bool { return now.Sub(at) > time.Hour })
	maps.DeleteFunc(q.granted, func(_ string, w *ticket) bool { return now.Sub(w.lastSeen) > 2*ticketTTL })
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

// grant reserves the amounts that w waits for, and reports whether it could.
func (t *Tracker) grant(w *ticket, now time.Time) bool {
	q := &t.queue
	contended := q.contended
	q.contended = nil // w is next in the queue
	release, err := t.reserve(w.usage, w.usage.reserved)
	if q.contended = contended; err != nil {
		return false
	}
	w.ready <- release
	w.lastSeen, w.previousGrant = now, q.lastGrant[w.usage.owner]
	q.lastGrant[w.usage.owner] = now
	q.granted[w.usage.owner+"\x00"+w.id] = w
	return true
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
