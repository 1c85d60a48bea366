// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Reconciler does the work that is due for a namespace.
type Reconciler interface {
	// Reconcile returns when it is to be called again; zero is never. After an error
	// it is called again with a backoff.
	Reconcile(ctx context.Context, name string) (time.Time, error)
}

// Queue calls a Reconciler at given times. It keeps times, not decisions: a time may
// be early, late or stale. Nothing is polled.
type Queue struct {
	reconciler Reconciler
	now        func() time.Time // the clock by which namespaces expire
	log        *slog.Logger
	queue      workqueue.TypedRateLimitingInterface[string]
}

// NewQueue returns a queue whose times are those of the clock now. AddAt may be called at
// once; Run does the work.
func NewQueue(r Reconciler, now func() time.Time, log *slog.Logger) *Queue {
	backoff := workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 30*time.Second)
	return &Queue{reconciler: r, now: now, log: log, queue: workqueue.NewTypedRateLimitingQueue(backoff)}
}

// AddAt schedules a namespace for the given time, or for now if that has passed.
func (q *Queue) AddAt(name string, at time.Time) { q.queue.AddAfter(name, at.Sub(q.now())) }

// Run works with the given number of workers until ctx is done.
func (q *Queue) Run(ctx context.Context, workers int) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for q.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	q.queue.ShutDown()
	wg.Wait()
}

func (q *Queue) next(ctx context.Context) bool {
	name, shutdown := q.queue.Get()
	if shutdown {
		return false
	}
	defer q.queue.Done(name)
	again, err := q.reconciler.Reconcile(ctx, name)
	if err != nil {
		if ctx.Err() == nil {
			q.log.Warn("Reconcile failed; retrying", "namespace", name, "err", err)
		}
		q.queue.AddRateLimited(name)
		return true
	}
	q.queue.Forget(name)
	if !again.IsZero() {
		q.AddAt(name, again)
	}
	return true
}
