// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func through(e watch.Event) (watch.Event, bool) { return e, true }

// A watch whose client never comes for the first event ends with its request: a
// tenant could fill the broker's memory with such.
func TestWatchesThatFailLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	for range 100 {
		upstream := watch.NewFakeWithChanSize(1, false)
		upstream.Add(&metav1.Status{})
		pipe(ctx, upstream, through, func() bool { return false })
	}
	cancel()
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before+5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left, %d were there before", runtime.NumGoroutine(), before)
		}
	}
}

// A watch whose user's rights have changed ends with 410, when it looks and when
// it ends anyway; each with a Status of its own, as encoders write to it.
func TestWatchEndsWhenAccessChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := func(w watch.Interface) *metav1.Status {
			t.Helper()
			e := <-w.ResultChan()
			status, ok := e.Object.(*metav1.Status)
			if e.Type != watch.Error || !ok || !apierrors.IsResourceExpired(&apierrors.StatusError{ErrStatus: *status}) {
				t.Fatalf("got %s %v, want 410", e.Type, e.Object)
			}
			if _, more := <-w.ResultChan(); more {
				t.Error("the watch goes on")
			}
			return status
		}
		begun := time.Now()
		var changed atomic.Bool
		time.AfterFunc(time.Minute, func() { changed.Store(true) })
		one := gone(pipe(t.Context(), watch.NewFake(), through, changed.Load))
		if took := time.Since(begun); took < time.Minute || took > 2*time.Minute {
			t.Errorf("it took %s", took)
		}
		ends := watch.NewFake()
		time.AfterFunc(time.Second, ends.Stop)
		if two := gone(pipe(t.Context(), ends, through, func() bool { return true })); one == two {
			t.Error("two watches share a Status")
		}
		ends = watch.NewFake()
		time.AfterFunc(time.Second, ends.Stop)
		if e, more := <-pipe(t.Context(), ends, through, func() bool { return false }).ResultChan(); more {
			t.Errorf("got %v, want the end", e)
		}
	})
}
