// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A user with many requests must wait for themselves; another user must not notice.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(2, 3, 10*time.Second)
		var running, most, done atomic.Int64
		var all sync.WaitGroup
		request := func() {
			end, err := turns.Take(t.Context(), "greedy")
			if err != nil {
				t.Error(err)
				return
			}
			defer end()
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			done.Add(1)
		}
		for range 5 {
			all.Go(request)
		}
		synctest.Wait()
		if _, err := turns.Take(t.Context(), "greedy"); !errors.Is(err, ErrNoTurn) {
			t.Errorf("a request beyond those that may wait: %v, want ErrNoTurn", err)
		}
		begun := time.Now()
		end, err := turns.Take(t.Context(), "modest")
		if err != nil || time.Since(begun) > 0 {
			t.Errorf("another user waits %s: %v", time.Since(begun), err)
		}
		end()
		all.Wait()
		if most.Load() != 2 || done.Load() != 5 {
			t.Errorf("%d ran at once, %d in all; want 2 and 5", most.Load(), done.Load())
		}
		if len(turns.byUser) != 0 {
			t.Errorf("after the last request %d users are kept in memory", len(turns.byUser))
		}
	})
}

// A request whose client has gone, or that has waited long, must free its place.
func TestTurnsThatDoNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1, 1, 10*time.Second)
		end, err := turns.Take(t.Context(), "greedy")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := turns.Take(ctx, "greedy"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the client has gone: %v", err)
		}
		if _, err := turns.Take(t.Context(), "greedy"); !errors.Is(err, ErrNoTurn) {
			t.Errorf("a long wait: %v, want ErrNoTurn", err)
		}
		end()
		end() // a second call must not free the turn of another request
		if end, err = turns.Take(t.Context(), "greedy"); err != nil {
			t.Fatalf("the turn was not freed: %v", err)
		}
		end()
	})
}
