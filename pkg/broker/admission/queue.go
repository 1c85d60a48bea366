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
	// contentionPeriod is how long a limit counts as contended after it rejected a request.
	contentionPeriod = 5 * time.Second
	// gracePeriod is how long the amounts that become free in a contended limit are offered
	// to queued requests only, in this replica or another. Then any request gets them.
	gracePeriod = 300 * time.Millisecond
	// jitter bounds a random delay that separates the first queued requests of several
	// replicas: they see the same free amount at once, and only one can reserve it.
	jitter = 100 * time.Millisecond

	// headOfQueue is how many queued requests are held open until they are granted. Those
	// further back receive their position and retry: an open request occupies a seat
	// in kube-apiserver.
	headOfQueue = 3
	// waitTimeout is how long a request is held open; the first time it is
	// firstWaitTimeout, so that the client soon learns that it is queued.
	waitTimeout      = 10 * time.Second
	firstWaitTimeout = time.Second
	// retryWindow is how long a free amount is kept for a client that is about to retry.
	retryWindow = 3 * time.Second
	// ticketTTL is how long the position of a client that does not retry is kept.
	ticketTTL = 15 * time.Second

	maxQueued, maxQueuedPerOwner = 1000, 10
	// maxWaiting is how many requests are held open at once; each occupies an in-flight
	// slot of the broker and a seat of kube-apiserver.
	maxWaiting = 64
	// longQueue is the queue length from which events call dispatch at most once per
	// dispatchInterval.
	longQueue        = 64
	dispatchInterval = 10 * time.Millisecond
)

// queue holds the requests that asked to wait, for all limits. The owners
// take turns: a grant moves the owner's other requests behind those already queued.
type queue struct {
	tickets    []*ticket
	lastGrant  map[string]time.Time   // by owner
	granted    map[string]*ticket     // by owner and id: granted recently, may have lost a race
	contended  map[limitKey]time.Time // what a queued request waits for, and when there is room; zero: unknown
	timer      *time.Timer
	timerAt    time.Time // when the timer fires
	dispatched time.Time
	waiting    int
}

// ticket is one queued request.
type ticket struct {
	usage     *usage
	id        string // of the request, unique per owner
	since     time.Time
	lastSeen  time.Time // when the client last asked
	notBefore time.Time // the amount is free, but must not be reserved before this time
	ready     chan func()

	previousGrant time.Time // of its owner
}

// Queued returns the number of requests in the queue.
func (t *Tracker) Queued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.queue.tickets)
}

// countWaiting returns the number of requests that are queued for a limit.
func (q *queue) countWaiting(key limitKey) int {
	n := 0
	for _, w := range q.tickets {
		if slices.Contains(w.usage.waitsFor, key) {
			n++
		}
	}
	return n
}

// Wait is Reserve for a request that may be queued; id keeps its position between
// retries. At the front of the queue, Wait blocks for some seconds. Errors: Forbidden
// if waiting cannot help; TooManyRequests with the position and the time to retry.
func (t *Tracker) Wait(ctx context.Context, ns *corev1.Namespace, id string) (release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := usageOf(ns)
	if err := t.checkPossible(u); err != nil {
		return nil, err
	}
	w, err := t.enqueue(u, id)
	if err != nil {
		return nil, err
	}
	ready := make(chan func(), 1)
	w.lastSeen, w.ready = time.Now(), ready
	t.signal()
	if t.ahead(w) < headOfQueue && t.queue.waiting < maxWaiting {
		t.queue.waiting++
		timeout := waitTimeout
		if time.Since(w.since) < firstWaitTimeout {
			timeout = firstWaitTimeout
		}
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		t.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-timer.C:
		case release = <-ready:
		}
		t.mu.Lock()
		t.queue.waiting--
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
	if w.ready == ready {
		w.ready = nil
	}
	w.lastSeen = time.Now()
	t.signal()
	return nil, t.queuedError(w)
}

// Requeue restores the position of a request that was granted, and then lost a race
// to another replica. Errors: TooManyRequests, like Wait; nil if there was no such
// grant.
func (t *Tracker) Requeue(ns *corev1.Namespace, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := usageOf(ns)
	w := t.queue.granted[u.owner+"\x00"+id]
	if w == nil {
		return nil
	}
	delete(t.queue.granted, u.owner+"\x00"+id)
	w.usage, w.ready, w.notBefore, w.lastSeen = u, nil, time.Time{}, time.Now()
	t.queue.lastGrant[u.owner] = w.previousGrant
	t.queue.tickets = append(t.queue.tickets, w)
	t.dispatch()
	return t.queuedError(w)
}

// signal dispatches the queue: at once, or soon if the queue is long.
func (t *Tracker) signal() {
	if len(t.queue.tickets) < longQueue || time.Since(t.queue.dispatched) > dispatchInterval {
		t.dispatch()
		return
	}
	t.scheduleDispatch(dispatchInterval)
}

// enqueue returns the ticket of a request, and appends it to the queue if it has none.
func (t *Tracker) enqueue(u *usage, id string) (*ticket, error) {
	owned := 0
	for _, w := range t.queue.tickets {
		if w.usage.owner != u.owner {
			continue
		}
		if w.id == id {
			w.usage = u
			return w, nil
		}
		owned++
	}
	if owned >= maxQueuedPerOwner || len(t.queue.tickets) >= maxQueued {
		return nil, apierrors.NewTooManyRequests("the queue is full; try again later", 10)
	}
	w := &ticket{usage: u, id: id, since: time.Now()}
	t.queue.tickets = append(t.queue.tickets, w)
	return w, nil
}

// ahead returns the number of requests ahead of w that wait for the same resources.
func (t *Tracker) ahead(w *ticket) int {
	n := 0
	for _, other := range t.queue.tickets {
		if other == w {
			break
		}
		if slices.ContainsFunc(other.usage.waitsFor, func(s limitKey) bool { return slices.Contains(w.usage.waitsFor, s) }) {
			n++
		}
	}
	return n
}

// graceLeft returns how long a request outside the queue must leave freed amounts to
// queued requests.
func (t *Tracker) graceLeft(u *usage) time.Duration {
	limits := t.limits(u)
	defer dropUnused(limits)
	if len(t.exceeded(limits, u.reserved, u.expires)) > 0 {
		return 0
	}
	var until time.Time
	for _, l := range limits {
		if l.graceUntil.After(until) {
			until = l.graceUntil
		}
	}
	return time.Until(until)
}

// queuedError returns an error that states the position of w in the queue.
func (t *Tracker) queuedError(w *ticket) error {
	name := "room"
	if len(w.usage.waitsFor) > 0 {
		name = w.usage.waitsFor[0].limit.String()
	}
	why := fmt.Sprintf("you are number %d in the queue for %s", t.ahead(w)+1, name)
	if len(w.usage.waitsFor) > 0 {
		s := w.usage.waitsFor[0]
		if at := t.freeAt(&s.limit.forecast, s, w.usage.reserved[s.key]); !at.IsZero() {
			why += "; room at " + at.UTC().Format(time.RFC3339) + " at the latest"
		}
	}
	retryAfter := 1
	if t.ahead(w) >= headOfQueue {
		retryAfter = 2
	}
	err := apierrors.NewTooManyRequests(why, retryAfter)
	err.ErrStatus.Details.Group, err.ErrStatus.Details.Kind, err.ErrStatus.Details.Name = groupResource.Group,
		groupResource.Resource, w.usage.name
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: v1alpha1.CauseInLine, Message: why}}
	return err
}
