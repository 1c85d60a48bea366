// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxLater bounds the Events that wait; further ones are dropped.
	maxLater = 1000
	// maxEach bounds those of one namespace: a tenant who extends it all the time does not
	// crowd out the Events of others.
	maxEach = 5
	// perSecond bounds the Events that are created, so that a burst of creations is not
	// slowed down by its Events.
	perSecond = 5
)

// Later creates Events after the requests that they are about have been answered. The
// namespaces may be gone by then. What waits when the process ends is lost: the status of a
// TemporaryNamespace records its extensions. Call Run.
type Later struct {
	recorder   *Recorder
	namespaces Namespaces
	contained  func() error
	waiting    chan later

	mu   sync.Mutex
	each map[types.UID]int // of those that wait, by namespace
}

type later struct {
	ns    *corev1.Namespace
	event Event
	after time.Time
}

// NewLater returns a Later. contained is nil while the policies are known to contain the
// broker.
func NewLater(r *Recorder, all Namespaces, contained func() error) *Later {
	return &Later{recorder: r, namespaces: all, contained: contained, waiting: make(chan later, maxLater),
		each: map[types.UID]int{}}
}

// Record creates an Event in ns, not before the delay is over.
func (l *Later) Record(ns *corev1.Namespace, delay time.Duration, e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each[ns.UID] >= maxEach {
		return
	}
	select {
	case l.waiting <- later{ns, e, time.Now().Add(delay)}:
		l.each[ns.UID]++
	default:
		l.recorder.Log.Warn("Too many Events wait; dropped one", "namespace", ns.Name, "reason", e.Reason)
	}
}

// Run creates the Events, in the order of their calls, until ctx is done.
func (l *Later) Run(ctx context.Context) {
	limit := rate.NewLimiter(perSecond, perSecond)
	for {
		var next later
		select {
		case <-ctx.Done():
			return
		case next = <-l.waiting:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next.after)):
		}
		l.taken(next.ns.UID)
		now := l.namespaces.Get(next.ns.Name)
		if now == nil || now.UID != next.ns.UID || now.DeletionTimestamp != nil || l.contained() != nil {
			continue
		}
		if limit.Wait(ctx) != nil {
			return
		}
		_ = l.recorder.Record(ctx, next.ns, next.event) // which was logged
	}
}

// taken notes that an Event of a namespace waits no longer.
func (l *Later) taken(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each[uid]--; l.each[uid] <= 0 {
		delete(l.each, uid)
	}
}
