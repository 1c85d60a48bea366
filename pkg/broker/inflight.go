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
	maxRequests, maxRequestsOfOne = 400, 100 // a create occupies a slot until it returns
	maxLists, maxListsOfOne       = 64, 16
	maxWatches, maxWatchesOfOne   = 2000, 100 // each needs some 55 KiB, and the memory of the pod is limited
)

// withInFlightLimit answers requests beyond these limits with 429.
func withInFlightLimit(next http.Handler) http.Handler {
	requests, lists, watches := places{all: maxRequests, each: maxRequestsOfOne}, places{all: maxLists, each: maxListsOfOne}, places{all: maxWatches, each: maxWatchesOfOne}
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
		if why := kind.take(user); why != "" {
			responsewriters.ErrorNegotiated(apierrors.NewTooManyRequests(why, 1), codecs, v1alpha1.GroupVersion, w, r)
			return
		}
		defer kind.leave(user)
		next.ServeHTTP(w, r)
	})
}

// places counts the slots that running requests occupy.
type places struct {
	all, each int

	mu    sync.Mutex
	taken int
	by    map[string]int // user
}

// take occupies a slot for user, or returns why none is free.
func (p *places) take(user string) (why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= p.all:
		return "the broker is busy; try again"
	case p.by[user] >= p.each:
		return "you have too many concurrent requests of this kind; try again"
	}
	if p.by == nil {
		p.by = map[string]int{}
	}
	p.taken++
	p.by[user]++
	return ""
}

func (p *places) leave(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[user]--; p.by[user] == 0 {
		delete(p.by, user)
	}
}
