// SPDX-License-Identifier: Apache-2.0

// Package reaper does for each namespace what is due, when it is due: it
// deletes those that have expired, and has those finished that their creator
// left.
//
// It keeps times, not decisions. A time may be early, late or stale; what to do
// is decided by Keeper at that moment. So any number of replicas may run it at
// once, none needs to lead, and nothing is polled.
package reaper

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Keeper does what is due for the namespace called name, and returns when to
// come back; the zero time is never. After an error it is asked again, later
// each time.
type Keeper interface {
	Tend(ctx context.Context, name string) (time.Time, error)
}

// Reaper calls Keeper at the times given to At.
type Reaper struct {
	keeper Keeper
	log    *slog.Logger
	queue  workqueue.TypedRateLimitingInterface[string]
}

// New returns a reaper; At may be called at once, Run does the work.
func New(keeper Keeper, log *slog.Logger) *Reaper {
	backoff := workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 30*time.Second)
	return &Reaper{keeper: keeper, log: log, queue: workqueue.NewTypedRateLimitingQueue(backoff)}
}

// At has the namespace tended to at the given time, or as soon as possible
// after it.
func (r *Reaper) At(name string, at time.Time) {
	r.queue.AddAfter(name, time.Until(at))
}

// Run works with the given number of workers until ctx is done.
func (r *Reaper) Run(ctx context.Context, workers int) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for r.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	r.queue.ShutDown()
	wg.Wait()
}

func (r *Reaper) next(ctx context.Context) bool {
	name, down := r.queue.Get()
	if down {
		return false
	}
	defer r.queue.Done(name)
	again, err := r.keeper.Tend(ctx, name)
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("Tending failed; trying again", "namespace", name, "err", err)
		}
		r.queue.AddRateLimited(name)
		return true
	}
	r.queue.Forget(name)
	if !again.IsZero() {
		r.At(name, again)
	}
	return true
}
