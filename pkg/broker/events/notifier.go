// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// uncontainedRetry is when a notice is tried again that was due while containment was not
// proven.
const uncontainedRetry = 30 * time.Second

// Namespaces finds a managed namespace by name; nil if there is none.
type Namespaces interface {
	Get(name string) *corev1.Namespace
}

// Notifier gives notice of expiries. It is a lifecycle.Reconciler, and safe for concurrent
// use. The exported fields are required.
type Notifier struct {
	Recorder   *Recorder
	Namespaces Namespaces
	// Notices returns how long before their expiry the namespaces of a class receive an
	// Event.
	Notices func(class string) []time.Duration
	// Warning returns the message about a namespace that is about to expire.
	Warning func(ns *corev1.Namespace, now time.Time) string
	// Contained is nil while the policies are known to contain the broker.
	Contained func() error

	mu   sync.Mutex
	seen map[string]sighting
}

// sighting is what the Notifier knows of a namespace.
type sighting struct {
	uid   types.UID
	at    time.Time // its expiry
	given time.Time // notices that were due until then were given, or are void
}

// Due returns when the next notice of the expiry of ns is due; zero is never. The notices of
// an earlier expiry are void, and so are those that would have been due before the expiry was
// moved: the user who moved it knows.
func (n *Notifier) Due(ns *corev1.Namespace) time.Time {
	at := noticed(ns)
	n.mu.Lock()
	defer n.mu.Unlock()
	if at.IsZero() {
		delete(n.seen, ns.Name)
		return time.Time{}
	}
	known, ok := n.seen[ns.Name]
	if !ok || known.uid != ns.UID {
		known = sighting{uid: ns.UID, at: at}
	}
	if !known.at.Equal(at) {
		known.at, known.given = at, n.Recorder.Now()
	}
	if n.seen == nil {
		n.seen = map[string]sighting{}
	}
	n.seen[ns.Name] = known
	due, _ := n.next(ns, known)
	return due
}

// Reconcile creates the Event that is due for a namespace. It returns when the next one is
// due; zero is never. After an outage, only the latest of several notices is given.
func (n *Notifier) Reconcile(ctx context.Context, name string) (time.Time, error) {
	ns := n.Namespaces.Get(name)
	if ns == nil {
		n.mu.Lock()
		delete(n.seen, name)
		n.mu.Unlock()
		return time.Time{}, nil
	}
	due := n.Due(ns)
	now := n.Recorder.Now()
	switch {
	case due.IsZero() || now.Before(due):
		return due, nil
	case n.Contained() != nil:
		return now.Add(uncontainedRetry), nil
	}
	n.mu.Lock()
	known := n.seen[name]
	var notice time.Duration
	for { // the latest of those that are due
		due, before := n.next(ns, known)
		if due.IsZero() || now.Before(due) {
			break
		}
		notice, known.given = before, due
	}
	n.mu.Unlock()
	if now.Before(known.at) {
		if err := n.Recorder.Record(ctx, ns, Event{Name: expiryName(known.at, notice), Type: corev1.EventTypeWarning,
			Reason: v1alpha1.EventExpiresSoon, Action: "Expire", Message: n.Warning(ns, now)}); err != nil {
			return time.Time{}, err // it is given later, or the next one
		}
	}
	n.mu.Lock()
	if now, ok := n.seen[name]; ok && now.uid == known.uid && now.at.Equal(known.at) { // it was not moved meanwhile
		now.given = known.given
		n.seen[name] = now
	}
	n.mu.Unlock()
	return n.Due(ns), nil
}

// next returns when the first notice after known.given is due, and how long before the
// expiry that is.
func (n *Notifier) next(ns *corev1.Namespace, known sighting) (due time.Time, before time.Duration) {
	return v1alpha1.NextNotice(ns.CreationTimestamp.Time, known.at, known.given,
		n.Notices(ns.Labels[v1alpha1.LabelClass]))
}

// noticed returns the expiry of which the owner of ns is to receive notice; zero is none. For
// a lease that a process renews all the time, it is the expiry that no renewal moves.
func noticed(ns *corev1.Namespace) time.Time {
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if err != nil || !v1alpha1.IsReady(ns) || v1alpha1.OnHold(ns) {
		return time.Time{}
	}
	created := ns.CreationTimestamp.Time
	if life.Lease > 0 && life.Lease < v1alpha1.Soon {
		return life.Deadline(created)
	}
	return life.Expiry(created)
}
