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
	// contended is how long a limit counts as contended after it rejected a request.
	contended = 5 * time.Second
	// grace is how long the amounts that become free in a contended limit are offered
	// to queued requests only, in this replica or another. Then any request gets them.
	grace = 300 * time.Millisecond
	// spread bounds a random delay that separates the first queued requests of several
	// replicas: they see the same free amount at once, and only one can reserve it.
	spread = 100 * time.Millisecond

	// atFront is how many queued requests are held open until they are granted. Those
	// further back receive their position and retry: an open request occupies a seat
	// in kube-apiserver.
	atFront = 3
	// holdOn is how long a request is held open; the first time it is tellPlace, so
	// that the client soon learns that it is queued.
	holdOn    = 10 * time.Second
	tellPlace = time.Second
	// between is how long a free amount is kept for a client that is about to retry.
	between = 3 * time.Second
	// keepPlace is how long the position of a client that does not retry is kept.
	keepPlace = 15 * time.Second

	maxPlaces, maxPlacesOfOne = 1000, 10
	// maxParked is how many requests are held open at once; each occupies an in-flight
	// slot of the broker and a seat of kube-apiserver.
	maxParked = 64
	// many is the queue length from which events sweep at most once per seldom.
	many   = 64
	seldom = 10 * time.Millisecond
)

// line is the queue of the requests that asked to wait, for all limits. The owners
// take turns: a grant moves the owner's other requests behind those already queued.
type line struct {
	places  []*place
	served  map[string]time.Time // by owner
	given   map[string]*place    // by owner and id: granted recently, may have lost a race
	blocked map[shortage]bool    // a queued request waits for these
	timer   *time.Timer
	due     time.Time // of the timer
	swept   time.Time
	parked  int
}

// place is one queued request.
type place struct {
	claim *claim
	id    string // of the request, unique per owner
	since time.Time
	seen  time.Time // when the client last asked
	wake  time.Time // the amount is free, but must not be reserved before this time
	ready chan func()

	served time.Time // the previous grant of its owner
}

// waiting returns the number of requests that are queued for a limit.
func (l *line) waiting(what shortage) int {
	n := 0
	for _, p := range l.places {
		if slices.Contains(p.claim.waitsFor, what) {
			n++
		}
	}
	return n
}

// Wait is Reserve for a request that may be queued; id keeps its position between
// retries. At the front of the queue, Wait blocks for some seconds. Errors: Forbidden
// if waiting cannot help; TooManyRequests with the position and the time to retry.
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
		select { // the grant may have come before the lock was acquired again
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

// Requeue restores the position of a request that was granted, and then lost a race
// to another replica. Errors: TooManyRequests, like Wait; nil if there was no such
// grant.
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

// stir sweeps the queue: at once, or soon if the queue is long.
func (v *View) stir() {
	if len(v.line.places) < many || time.Since(v.line.swept) > seldom {
		v.sweep()
		return
	}
	v.alarm(seldom)
}

// join returns the place of a request, and appends it to the queue if it has none.
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
		return nil, apierrors.NewTooManyRequests("the queue is full; try again later", 10)
	}
	p := &place{claim: c, id: id, since: time.Now()}
	v.line.places = append(v.line.places, p)
	return p, nil
}

// before returns the number of requests ahead of p that wait for the same resources.
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

// patience returns how long a request outside the queue must leave freed amounts to
// queued requests.
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

// inLine returns an error that states the position of p in the queue.
func (v *View) inLine(p *place) error {
	what := "room"
	if len(p.claim.waitsFor) > 0 {
		what = p.claim.waitsFor[0].limit.String()
	}
	why := fmt.Sprintf("you are number %d in the queue for %s", v.before(p)+1, what)
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
