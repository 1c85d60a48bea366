// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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

// kube-apiserver looks through all namespaces when a watch begins: one user who opens many at
// once must not slow others down. An open watch must not keep the next one from opening.
func TestWatchesAreOpenedInTurn(t *testing.T) {
	var opening, most atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), opening.Add(1)))
		time.Sleep(20 * time.Millisecond)
		opening.Add(-1)
		w.Header().Set("Content-Type", "application/json")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer upstream.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: upstream.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	turns := NewTurns(1, 5, time.Minute)
	r := &Registry{Client: client, Log: slog.New(slog.DiscardHandler),
		Authorizer: authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string,
			error) {
			return authorizer.DecisionNoOpinion, "", nil
		}),
		Opening: func(ctx context.Context) (func(), error) { return turns.Take(ctx, userName(ctx)) },
	}
	ctx, cancel := context.WithCancel(request.WithUser(t.Context(), &user.DefaultInfo{Name: "greedy"}))
	defer cancel()
	var all sync.WaitGroup
	for range 6 { // all of them stay open
		all.Go(func() {
			if _, err := r.Watch(ctx, &internalversion.ListOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d watches were opened at the same time", most.Load())
	}
	r.Opening = func(context.Context) (func(), error) { return nil, ErrNoTurn }
	if _, err := r.Watch(ctx, &internalversion.ListOptions{}); !apierrors.IsTooManyRequests(err) {
		t.Errorf("without a turn: %v, want TooManyRequests", err)
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
