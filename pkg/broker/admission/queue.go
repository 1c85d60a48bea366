// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

const (
	// contended is for how long after a refusal a limit is taken to be wanted.
	contended = 5 * time.Second
	// grace is for how long what becomes free in such a limit is for those who wait
	// in line, in this replica or another. Others have it then.
	grace = 300 * time.Millisecond
	// spread keeps the first in line of several replicas apart: they see the same
	// room at the same moment, and only one can have it.
	spread = 100 * time.Millisecond

	// atFront are held on to until there is room; those further back are told their
	// place, and come again: a request that waits takes a seat in kube-apiserver.
	atFront = 3
	// holdOn is for how long; the first time it is tellPlace, so that they hear soon
	// that they stand in line.
	holdOn    = 10 * time.Second
	tellPlace = time.Second
	// between is for how long room is kept for somebody who is just coming again.
	between = 3 * time.Second
	// keepPlace is for how long the place of somebody who does not come again is kept.
	keepPlace = 15 * time.Second

	maxPlaces, maxPlacesOfOne = 1000, 10
	// maxParked is how many requests wait here at once; each holds a place of the
	// broker's and a seat of kube-apiserver's.
	maxParked = 64
	// many is a line that is not looked through at every event, but every so often.
	many   = 64
	seldom = 10 * time.Millisecond
)

// line is where those wait who said so, for all limits. People are served in
// turns: who has been served stands behind those who came before that.
type line struct {
	places  []*place
	served  map[string]time.Time // by owner
	given   map[string]*place    // by owner and id: those who were served just now, and may have lost a race
	blocked map[shortage]bool    // somebody waits for these
	timer   *time.Timer
	due     time.Time // of the timer
	swept   time.Time
	parked  int
}

// place is one request that waits.
type place struct {
	claim *claim
	id    string // of the request, beside its owner
	since time.Time
	seen  time.Time // the last time that it was asked for
	wake  time.Time // there is room, and it is not to be taken before this
	ready chan func()

	served time.Time // the time before, of its owner
}

// waiting is how many wait for a limit.
func (l *line) waiting(what shortage) int {
	n := 0
	for _, p := range l.places {
		if slices.Contains(p.claim.waitsFor, what) {
			n++
		}
	}
	return n
}

// Wait is Reserve for somebody who is ready to wait, in a line in which id keeps their
// place between requests. At the front it waits for some seconds. Errors: Forbidden
// where waiting cannot help; TooManyRequests with the place in line, and when to
// come again.
func (v *View) Wait(ctx context.Context, ns *corev1.Namespace, id string) (release func(), err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := claimOf(ns)
	if err := v.impossible(c); err != nil {
		return nil, err
	}
	p, err := v.join(c, id)
	if err != nil {
		return nil, err
	}
	ready := make(chan func(), 1)
	p.seen, p.ready = time.Now(), ready
	v.stir()
	if v.before(p) < atFront && v.line.parked < maxParked {
		v.line.parked++
		hold := holdOn
		if time.Since(p.since) < tellPlace {
			hold = tellPlace
		}
		timer := time.NewTimer(hold)
		defer timer.Stop()
		v.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-timer.C:
		case release = <-ready:
		}
		v.mu.Lock()
		v.line.parked--
	}
	if release == nil {
		select { // while the lock was taken again
		case release = <-ready:
		default:
		}
	}
	if release != nil {
		return release, nil
	}
	if p.ready == ready {
		p.ready = nil
	}
	p.seen = time.Now()
	v.stir()
	return nil, v.inLine(p)
}

// Requeue puts somebody back into their place who was served, and lost to another
// replica that was faster. Errors: TooManyRequests, as of Wait; nil if it knows of no
// such place.
func (v *View) Requeue(ns *corev1.Namespace, id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := claimOf(ns)
	p := v.line.given[c.owner+"\x00"+id]
	if p == nil {
		return nil
	}
	delete(v.line.given, c.owner+"\x00"+id)
	p.claim, p.ready, p.wake, p.seen = c, nil, time.Time{}, time.Now()
	v.line.served[c.owner] = p.served
	v.line.places = append(v.line.places, p)
	v.sweep()
	return v.inLine(p)
}

// stir has the line swept: at once, or soon where it is long.
func (v *View) stir() {
	if len(v.line.places) < many || time.Since(v.line.swept) > seldom {
		v.sweep()
		return
	}
	v.alarm(seldom)
}

// join returns the place of a request, at the end of the line if it has none.
func (v *View) join(c *claim, id string) (*place, error) {
	of := 0
	for _, p := range v.line.places {
		if p.claim.owner != c.owner {
			continue
		}
		if p.id == id {
			p.claim = c
			return p, nil
		}
		of++
	}
	if of >= maxPlacesOfOne || len(v.line.places) >= maxPlaces {
		return nil, apierrors.NewTooManyRequests("too many wait in line already; try again later", 10)
	}
	p := &place{claim: c, id: id, since: time.Now()}
	v.line.places = append(v.line.places, p)
	return p, nil
}

// before is how many stand before p who wait for the same.
func (v *View) before(p *place) int {
	n := 0
	for _, other := range v.line.places {
		if other == p {
			break
		}
		if slices.ContainsFunc(other.claim.waitsFor, func(s shortage) bool { return slices.Contains(p.claim.waitsFor, s) }) {
			n++
		}
	}
	return n
}

// patience is how long somebody who does not wait in line has to leave to others
// what has just become free.
func (v *View) patience(c *claim) time.Duration {
	limits := v.limits(c)
	defer forget(limits)
	if len(v.short(limits, c.reserved)) > 0 {
		return 0
	}
	var until time.Time
	for _, l := range limits {
		if l.grace.After(until) {
			until = l.grace
		}
	}
	return time.Until(until)
}

// inLine tells somebody their place.
func (v *View) inLine(p *place) error {
	what := "room"
	if len(p.claim.waitsFor) > 0 {
		what = p.claim.waitsFor[0].limit.String()
	}
	why := fmt.Sprintf("you are number %d in line for %s", v.before(p)+1, what)
	if len(p.claim.waitsFor) > 0 {
		s := p.claim.waitsFor[0]
		if at := v.free(s, p.claim.reserved[s.key]); !at.IsZero() {
			why += "; room at " + at.UTC().Format(time.RFC3339) + " at the latest"
		}
	}
	again := 1
	if v.before(p) >= atFront {
		again = 2
	}
	err := apierrors.NewTooManyRequests(why, again)
	err.ErrStatus.Details.Group, err.ErrStatus.Details.Kind, err.ErrStatus.Details.Name = groupResource.Group, groupResource.Resource, p.claim.name
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: v1alpha1.CauseInLine, Message: why}}
	return err
}
