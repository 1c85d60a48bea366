// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder records when it is called, and returns configured results.
type recorder struct {
	mu     sync.Mutex
	begun  time.Time
	asked  []time.Duration
	answer func(n int) (time.Time, error)
}

func (k *recorder) Reconcile(_ context.Context, _ string) (time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, time.Since(k.begun))
	return k.answer(len(k.asked))
}

func TestQueue(t *testing.T) {
	never := func(int) (time.Time, error) { return time.Time{}, nil }
	for name, c := range map[string]struct {
		at     []time.Duration
		answer func(begun time.Time) func(n int) (time.Time, error)
		want   []time.Duration
	}{
		"once, at its time": {[]time.Duration{time.Hour}, nil, []time.Duration{time.Hour}},
		"overdue: at once":  {[]time.Duration{-time.Hour}, nil, []time.Duration{0}},
		"extended meanwhile: asked again then": {[]time.Duration{time.Hour},
			func(begun time.Time) func(int) (time.Time, error) {
				return func(n int) (time.Time, error) {
					if n == 1 {
						return begun.Add(3 * time.Hour), nil
					}
					return time.Time{}, nil
				}
			}, []time.Duration{time.Hour, 3 * time.Hour}},
		"an error: asked again, later each time": {[]time.Duration{time.Hour}, func(time.Time) func(int) (time.Time, error) {
			return func(n int) (time.Time, error) {
				if n < 4 {
					return time.Time{}, errors.New("no")
				}
				return time.Time{}, nil
			}
		}, []time.Duration{time.Hour, time.Hour + 50*time.Millisecond, time.Hour + 150*time.Millisecond, time.Hour +
			350*time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &recorder{begun: time.Now(), answer: never}
				if c.answer != nil {
					k.answer = c.answer(k.begun)
				}
				q := NewQueue(k, time.Now, slog.New(slog.DiscardHandler))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { q.Run(ctx, 2); close(done) }()
				for _, at := range c.at {
					q.AddAt("tmp-a", k.begun.Add(at))
				}
				time.Sleep(24 * time.Hour)
				cancel()
				<-done
				k.mu.Lock()
				defer k.mu.Unlock()
				if len(k.asked) != len(c.want) {
					t.Fatalf("asked at %v, want %v", k.asked, c.want)
				}
				for i := range c.want {
					if k.asked[i] != c.want[i] {
						t.Errorf("asked at %v, want %v", k.asked, c.want)
					}
				}
			})
		})
	}
}
