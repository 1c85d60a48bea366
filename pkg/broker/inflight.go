// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"

	"tenama.dev/tenama/pkg/broker/registry"
)

// Limits of concurrent requests, in total and per user. Priority and fairness in
// kube-apiserver does not replace them: a running watch occupies no seat there, and
// requests that the broker passes on count as its own, like its creations and deletions.
const (
	maxRequests, maxRequestsPerUser = 400, 100 // a create occupies a slot until it returns
	maxLists, maxListsPerUser       = 64, 2
	maxWaitingLists                 = 28        // of one user; each occupies a place of tenama-reads in kube-apiserver
	maxWatches, maxWatchesPerUser   = 2000, 100 // each needs some 55 KiB, and the memory of the pod is limited
	maxRestores                     = 4         // resumed watches that read what their client has

	listBytes, listBytesPerUser  = 12 * registry.PageBytes, 4 * registry.PageBytes
	leastListBytes               = 64 << 10 // an empty list needs memory, too
	maxLongLists, maxLongPerUser = 2, 1     // more at once would take too long, each
)

// How long requests wait for others of the same user.
const listPatience, openingPatience = 5 * time.Second, 30 * time.Second

// controllers are the users of kube-controller-manager that are never refused: to the
// garbage collector, an owner that it cannot read is an owner that is gone.
var controllers = sets.New("system:kube-controller-manager",
	"system:serviceaccount:kube-system:generic-garbage-collector")

// withInFlightLimit answers requests beyond these limits with 429. Lists of one user wait
// for each other first.
func withInFlightLimit(next http.Handler) http.Handler {
	requests, lists, watches := slots{max: maxRequests, maxPerUser: maxRequestsPerUser}, slots{max: maxLists,
		maxPerUser: maxListsPerUser}, slots{max: maxWatches, maxPerUser: maxWatchesPerUser}
	turns := registry.NewTurns(maxListsPerUser, maxWaitingLists, listPatience)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := &requests
		user, exempt := requester(r)
		if info, ok := request.RequestInfoFrom(r.Context()); ok {
			switch {
			case !info.IsResourceRequest || exempt: // discovery: a 429 would make the API unavailable to all users
				next.ServeHTTP(w, r)
				return
			case longRunning(r, info):
				kind = &watches
			case info.Verb == "list":
				kind = &lists
				end, err := turns.Take(r.Context(), user)
				if err != nil { // if its client has gone, the answer does not matter
					tooMany(w, r, registry.ErrNoTurn.Error())
					return
				}
				defer end()
			}
		}
		if why := kind.acquire(user, 1); why != "" {
			tooMany(w, r, why)
			return
		}
		defer kind.release(user, 1)
		next.ServeHTTP(w, r)
	})
}

// openings lets each user open one watch after the other. A watch that waits occupies no place
// in kube-apiserver. Those of controllers do not wait.
func openings() func(context.Context) (func(), error) {
	turns := registry.NewTurns(1, maxWatchesPerUser, openingPatience)
	return func(ctx context.Context) (func(), error) {
		u, _ := request.UserFrom(ctx)
		if u == nil || controllers.Has(u.GetName()) {
			return func() {}, nil
		}
		return turns.Take(ctx, u.GetName())
	}
}

func tooMany(w http.ResponseWriter, r *http.Request, why string) {
	refuse(w, r, apierrors.NewTooManyRequests(why, 1))
}

// requester returns the user of a request, and reports whether no limit applies to it.
func requester(r *http.Request) (name string, exempt bool) {
	if u, ok := request.UserFrom(r.Context()); ok {
		name = u.GetName()
	}
	return name, controllers.Has(name)
}

// slots counts what running requests occupy of something limited.
type slots struct {
	max, maxPerUser int

	mu     sync.Mutex
	inUse  int
	byUser map[string]int
}

// acquire occupies n for user, or returns why that is not possible.
func (s *slots) acquire(user string, n int) (why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.inUse+n > s.max:
		return "the broker is busy; try again"
	case s.byUser[user]+n > s.maxPerUser:
		return registry.ErrNoTurn.Error()
	}
	if s.byUser == nil {
		s.byUser = map[string]int{}
	}
	s.inUse += n
	s.byUser[user] += n
	return ""
}

func (s *slots) release(user string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse -= n
	if s.byUser[user] -= n; s.byUser[user] == 0 {
		delete(s.byUser, user)
	}
}
