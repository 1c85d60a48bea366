// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math/rand/v2"
	"slices"
	"time"
)

// sweep gives whatever has become free to those who wait, in their order.
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
		// Who is at the end of a limit of their own cannot be served whatever becomes
		// free, and holds up nobody else.
		stuck := slices.ContainsFunc(p.claim.waitsFor, func(s shortage) bool { return s.limit.scope == user })
		for _, s := range p.claim.waitsFor {
			s.limit.refused = now
		}
		there := p.ready != nil || now.Sub(p.seen) <= between
		going := v.claims[p.claim.name] // what it was given and lost again
		switch {
		case going != nil && (going.refused || going.ending):
			there = false
		case len(p.claim.waitsFor) > 0:
			p.wake = time.Time{}
		case !there: // and not about to be
		case p.ready == nil:
			p.claim.waitsFor = all(limits, p.claim)
			soon(p.seen.Add(between))
		case p.wake.IsZero() && now.Sub(p.since) > spread: // it has waited, and others most likely have elsewhere
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

// all is everything that a claim takes of limits.
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

// grant takes what p waits for.
func (v *View) grant(p *place) (func(), error) {
	blocked := v.line.blocked
	v.line.blocked = nil // it is its turn
	defer func() { v.line.blocked = blocked }()
	return v.hold(p.claim, p.claim.reserved)
}

// alarm has the line swept once more after d.
func (v *View) alarm(d time.Duration) {
	l, d := &v.line, max(d, time.Millisecond)
	at := time.Now().Add(d)
	if l.timer != nil && l.due.After(time.Now()) && l.due.Before(at) {
		return // it rings before
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
