// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math/rand/v2"
	"slices"
	"time"
)

// sweep grants free amounts to the queued requests in their order, and drops the
// requests whose clients no longer retry.
func (v *View) sweep() {
	l := &v.line
	l.blocked = nil
	now := time.Now()
	l.swept = now
	if len(l.places) == 0 {
		return
	}
	l.blocked = map[shortage]bool{}
	turn := func(p *place) time.Time {
		if served := l.served[p.claim.owner]; served.After(p.since) {
			return served
		}
		return p.since
	}
	slices.SortStableFunc(l.places, func(a, b *place) int { return turn(a).Compare(turn(b)) })
	next := now.Add(time.Minute)
	soon := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	left := l.places[:0]
	for _, p := range l.places {
		if p.ready == nil && now.Sub(p.seen) > keepPlace {
			forget(v.limits(p.claim))
			continue
		}
		limits := v.limits(p.claim)
		p.claim.waitsFor = v.short(limits, p.claim.reserved)
		// A request at its user's own limit cannot be granted by amounts that others
		// free, so it must not block others.
		stuck := slices.ContainsFunc(p.claim.waitsFor, func(s shortage) bool { return s.limit.scope == user })
		for _, s := range p.claim.waitsFor {
			s.limit.refused = now
		}
		there := p.ready != nil || now.Sub(p.seen) <= between
		going := v.claims[p.claim.name] // the namespace of an earlier grant that lost its race
		switch {
		case going != nil && (going.refused || going.ending):
			there = false
		case len(p.claim.waitsFor) > 0:
			p.wake = time.Time{}
		case !there: // the client is not expected to retry soon
		case p.ready == nil:
			p.claim.waitsFor = all(limits, p.claim)
			soon(p.seen.Add(between))
		case p.wake.IsZero() && now.Sub(p.since) > spread: // other replicas probably wait, too
			p.wake = now.Add(rand.N(spread))
			fallthrough
		case now.Before(p.wake):
			p.claim.waitsFor = all(limits, p.claim)
			soon(p.wake)
		default:
			if release, err := v.grant(p); err == nil {
				p.ready <- release
				p.seen, p.served = now, l.served[p.claim.owner]
				l.served[p.claim.owner] = now
				l.given[p.claim.owner+"\x00"+p.id] = p
				continue
			}
		}
		for _, s := range p.claim.waitsFor {
			if there && (!stuck || s.limit.scope == user) {
				l.blocked[s] = true
			}
		}
		if p.ready == nil {
			soon(p.seen.Add(keepPlace))
		}
		left = append(left, p)
	}
	clear(l.places[len(left):])
	l.places = left
	for owner, at := range l.served {
		if now.Sub(at) > time.Hour {
			delete(l.served, owner)
		}
	}
	for key, p := range l.given {
		if now.Sub(p.seen) > 2*keepPlace {
			delete(l.given, key)
		}
	}
	if len(l.places) > 0 {
		v.alarm(time.Until(next))
	}
}

// all returns every resource of limits that a claim reserves.
func all(limits []*limit, c *claim) []shortage {
	var out []shortage
	for _, l := range limits {
		for _, k := range l.keys {
			if want := c.reserved[k]; want.Sign() > 0 {
				out = append(out, shortage{l, k})
			}
		}
	}
	return out
}

// grant reserves the amounts that p waits for.
func (v *View) grant(p *place) (func(), error) {
	blocked := v.line.blocked
	v.line.blocked = nil // p is next in the queue
	defer func() { v.line.blocked = blocked }()
	return v.hold(p.claim, p.claim.reserved)
}

// alarm schedules another sweep after d.
func (v *View) alarm(d time.Duration) {
	l, d := &v.line, max(d, time.Millisecond)
	at := time.Now().Add(d)
	if l.timer != nil && l.due.After(time.Now()) && l.due.Before(at) {
		return // the timer fires earlier
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	l.due = at
	l.timer = time.AfterFunc(d, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.sweep()
	})
}
