// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
)

const (
	// maxLater bounds the Events that wait; further ones are dropped.
	maxLater = 1000
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
}

type later struct {
	ns    *corev1.Namespace
	event Event
	after time.Time
}

// NewLater returns a Later. contained is nil while the policies are known to contain the
// broker.
func NewLater(r *Recorder, all Namespaces, contained func() error) *Later {
	return &Later{r, all, contained, make(chan later, maxLater)}
}

// Record creates an Event in ns, not before the delay is over.
func (l *Later) Record(ns *corev1.Namespace, delay time.Duration, e Event) {
	select {
	case l.waiting <- later{ns, e, time.Now().Add(delay)}:
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
		now := l.namespaces.Get(next.ns.Name)
		if now == nil || now.UID != next.ns.UID || now.DeletionTimestamp != nil || l.contained() != nil {
			continue
		}
		if limit.Wait(ctx) != nil {
			return
		}
		l.recorder.Record(ctx, next.ns, next.event)
	}
}
