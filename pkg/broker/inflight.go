// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"

	"tenama.dev/tenama/api/v1alpha1"
)

// Limits of concurrent requests, in total and per user. Priority and fairness in
// kube-apiserver does not replace them: a running watch occupies no seat there, and
// requests that the broker passes on count as its own, like its creations and deletions.
const (
	maxRequests, maxRequestsPerUser = 400, 100 // a create occupies a slot until it returns
	maxLists, maxListsPerUser       = 64, 16
	maxWatches, maxWatchesPerUser   = 2000, 100 // each needs some 55 KiB, and the memory of the pod is limited
)

// withInFlightLimit answers requests beyond these limits with 429.
func withInFlightLimit(next http.Handler) http.Handler {
	requests, lists, watches := slots{max: maxRequests, maxPerUser: maxRequestsPerUser}, slots{max: maxLists,
		maxPerUser: maxListsPerUser}, slots{max: maxWatches, maxPerUser: maxWatchesPerUser}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := &requests
		if info, ok := request.RequestInfoFrom(r.Context()); ok {
			switch {
			case !info.IsResourceRequest: // discovery: a 429 would make the API unavailable to all users
				next.ServeHTTP(w, r)
				return
			case longRunning(r, info):
				kind = &watches
			case info.Verb == "list":
				kind = &lists
			}
		}
		user := ""
		if u, ok := request.UserFrom(r.Context()); ok {
			user = u.GetName()
		}
		if why := kind.acquire(user); why != "" {
			responsewriters.ErrorNegotiated(apierrors.NewTooManyRequests(why, 1), codecs, v1alpha1.GroupVersion, w, r)
			return
		}
		defer kind.release(user)
		next.ServeHTTP(w, r)
	})
}

// slots counts the slots that running requests occupy.
type slots struct {
	max, maxPerUser int

	mu     sync.Mutex
	inUse  int
	byUser map[string]int
}

// acquire occupies a slot for user, or returns why none is free.
func (s *slots) acquire(user string) (why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.inUse >= s.max:
		return "the broker is busy; try again"
	case s.byUser[user] >= s.maxPerUser:
		return "you have too many concurrent requests of this kind; try again"
	}
	if s.byUser == nil {
		s.byUser = map[string]int{}
	}
	s.inUse++
	s.byUser[user]++
	return ""
}

func (s *slots) release(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse--
	if s.byUser[user]--; s.byUser[user] == 0 {
		delete(s.byUser, user)
	}
}
