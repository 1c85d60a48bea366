// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/component-base/metrics/legacyregistry"
)

func as(verb string, resource bool) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/apis/tenama.dev/v1alpha1/temporarynamespaces", nil)
	return r.WithContext(request.WithRequestInfo(r.Context(), &request.RequestInfo{Verb: verb, IsResourceRequest: resource,
		APIGroup: "tenama.dev", Resource: "temporarynamespaces"}))
}

func by(name, verb string, resource bool) *http.Request {
	r := as(verb, resource)
	return r.WithContext(request.WithUser(r.Context(), &user.DefaultInfo{Name: name}))
}

func status(h http.Handler, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// A user who floods the broker exhausts the user's own slots; several such users
// exhaust the slots of all. Discovery, without which the API counts as unavailable, is
// never limited.
func TestInFlightLimit(t *testing.T) {
	full, release := make(chan struct{}), make(chan struct{})
	var in sync.WaitGroup
	in.Add(maxRequests)
	h := withInFlightLimit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if info, _ := request.RequestInfoFrom(r.Context()); info.Verb == "create" {
			in.Done()
			<-release
		}
	}))
	var done sync.WaitGroup
	for i := range maxRequests {
		done.Go(func() { status(h, by(fmt.Sprintf("user-%d", i/maxRequestsPerUser), "create", true)) })
	}
	go func() { in.Wait(); close(full) }()
	<-full
	for what, c := range map[string]struct {
		r    *http.Request
		want int
	}{
		"one more request of another user": {by("modest", "update", true), http.StatusTooManyRequests},
		"discovery":                        {by("user-0", "get", false), http.StatusOK},
		"a watch, which has its own slots": {by("user-0", "watch", true), http.StatusOK},
		"a list, which has its own slots":  {by("user-0", "list", true), http.StatusOK},
		"the garbage collector":            {by("system:kube-controller-manager", "get", true), http.StatusOK},
	} {
		if code, _ := status(h, c.r); code != c.want {
			t.Errorf("%s: %d, want %d", what, code, c.want)
		}
	}
	close(release)
	done.Wait()
	if code, _ := status(h, by("modest", "update", true)); code != http.StatusOK {
		t.Errorf("afterwards: %d, want 200", code)
	}
}

// Lists of one user wait for each other, so that others are not slowed down; only what is
// more than may wait is refused.
func TestListsOfOneUserWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		h := withInFlightLimit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(100 * time.Millisecond)
			running.Add(-1)
		}))
		list := func(user string) int {
			code, _ := status(h, by(user, "list", true))
			return code
		}
		var all sync.WaitGroup
		var answered atomic.Int64
		for range maxListsPerUser + maxWaitingLists {
			all.Go(func() {
				if list("greedy") == http.StatusOK {
					answered.Add(1)
				}
			})
		}
		synctest.Wait()
		if code := list("greedy"); code != http.StatusTooManyRequests {
			t.Errorf("one more list: %d, want 429", code)
		}
		begun := time.Now()
		if code := list("modest"); code != http.StatusOK || time.Since(begun) > time.Second {
			t.Errorf("a list of another user: %d after %s", code, time.Since(begun))
		}
		all.Wait()
		if most.Load() > maxListsPerUser+1 || answered.Load() != maxListsPerUser+maxWaitingLists {
			t.Errorf("%d lists ran at once, %d were answered", most.Load(), answered.Load())
		}
	})
}

// Watches of one user are opened one after the other; those of controllers must not wait for
// each other, because garbage collection needs them.
func TestOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := openings()
		of := func(name string) context.Context {
			return request.WithUser(t.Context(), &user.DefaultInfo{Name: name})
		}
		opened := map[string]int{}
		for _, name := range []string{"greedy", "greedy", "modest", "system:kube-controller-manager",
			"system:kube-controller-manager"} {
			if _, err := opening(of(name)); err == nil { // and never ends
				opened[name]++
			}
		}
		want := map[string]int{"greedy": 1, "modest": 1, "system:kube-controller-manager": 2}
		if !maps.Equal(opened, want) {
			t.Errorf("opened at once: %v, want %v", opened, want)
		}
	})
}

// One greedy user cannot occupy all slots.
func TestSlots(t *testing.T) {
	p := slots{max: 10, maxPerUser: 4}
	take := func(user string, want bool) {
		t.Helper()
		if why := p.acquire(user, 1); (why == "") != want {
			t.Errorf("%s: %q", user, why)
		}
	}
	for range 4 {
		take("greedy", true)
	}
	take("greedy", false)
	take("modest", true)
	p.release("greedy", 1)
	take("greedy", true)
	take("greedy", false)
	for _, user := range []string{"a", "b", "c", "d", "e"} {
		take(user, true)
	}
	take("late", false)
	for range 4 {
		p.release("greedy", 1)
	}
	for _, user := range []string{"modest", "a", "b", "c", "d", "e"} {
		p.release(user, 1)
	}
	if p.inUse != 0 || len(p.byUser) != 0 {
		t.Errorf("%d slots are left over: %v", p.inUse, p.byUser)
	}
}

// An authorization failure of the broker never looks like a denial of the user.
func TestAuthorize(t *testing.T) {
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]struct {
		decision authorizer.Decision
		err      error
		code     int
		say      string
	}{
		"allowed":                {authorizer.DecisionAllow, nil, 200, ""},
		"allowed, with an error": {authorizer.DecisionAllow, errors.New("x"), 200, ""},
		"denied":                 {authorizer.DecisionNoOpinion, nil, 403, "cannot"},
		"no answer":              {authorizer.DecisionNoOpinion, errors.New("secret detail"), 503, "try again"},
		"no right to ask": {authorizer.DecisionNoOpinion,
			apierrors.NewForbidden(schema.GroupResource{Resource: "subjectaccessreviews"}, "", errors.New("x")), 503,
			`lacks the rights of ClusterRole \"tenama:broker\"`},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := withAuthorization(served, authorizer.AuthorizerFunc(func(context.Context,
				authorizer.Attributes) (authorizer.Decision, string, error) {
				return c.decision, "", c.err
			}), slog.New(slog.NewTextHandler(&log, nil)))
			code, body := status(h, as("list", true))
			if failed := c.code == http.StatusServiceUnavailable; failed != strings.Contains(log.String(), "level=WARN") {
				t.Errorf("the log has %q", log.String())
			}
			if code != c.code || !strings.Contains(body, c.say) || strings.Contains(body, "secret detail") {
				t.Errorf("got %d %s, want %d with %q", code, body, c.code, c.say)
			}
		})
	}
}

// counted returns how many creations had a result.
func counted(t *testing.T, result string) (n float64) {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tenama_creations_total" && m.GetLabel()[0].GetValue() == result {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// Prometheus sees no increase in a counter that appears with 1: each result that an alert counts
// begins with 0.
func TestCountersOfAlerts(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join("..", "..", "deploy", "components", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tenama_creations_total" {
				have[m.GetLabel()[0].GetValue()] = true
			}
		}
	}
	n := 0
	counts := regexp.MustCompile(`tenama_creations_total\{result=~"([^"]+)"`)
	for _, m := range counts.FindAllStringSubmatch(string(rules), -1) {
		for _, result := range strings.Split(m[1], "|") {
			if n++; !have[result] {
				t.Errorf("an alert counts %s, which does not begin with 0", result)
			}
		}
	}
	if n < 8 {
		t.Errorf("the alerts count %d results", n)
	}
}

// An alert on creations that fail must count those that end before they reach the registry,
// and no other requests.
func TestRefusedCreationsCount(t *testing.T) {
	state := &health{contained: func() error { return errors.New("not contained") }}
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	before := counted(t, "NotContained")
	dry := as("create", true)
	dry.URL.RawQuery = "dryRun=All"
	for _, r := range []*http.Request{as("create", true), as("patch", true), as("get", true), as("create", false), dry} {
		status(whileContained(served, state), r)
	}
	if n := counted(t, "NotContained") - before; n != 1 {
		t.Errorf("%v creations were counted, want 1", n)
	}
	before = counted(t, "ServiceUnavailable")
	status(untilServing(served, state), as("create", true))
	if n := counted(t, "ServiceUnavailable") - before; n != 1 {
		t.Errorf("while it starts: %v creations were counted, want 1", n)
	}
}

// While the broker is not contained, only reads are allowed.
func TestWhileContained(t *testing.T) {
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	why := errors.New("it could do harm")
	state := &health{contained: func() error { return why }}
	for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection", "some-new-verb"} {
		code, body := status(whileContained(served, state), as(verb, true))
		if code != http.StatusServiceUnavailable || !strings.Contains(body, "it could do harm") {
			t.Errorf("%s: %d %s, want 503 with the reason", verb, code, body)
		}
		state.allowUncontained = true
		code, _ = status(whileContained(served, state), as(verb, true))
		if state.allowUncontained = false; code != http.StatusOK {
			t.Errorf("%s with --allow-uncontained: %d", verb, code)
		}
	}
	for _, verb := range []string{"get", "list", "watch"} {
		if code, _ := status(whileContained(served, state), as(verb, true)); code != http.StatusOK {
			t.Errorf("%s: %d, want 200", verb, code)
		}
	}
	why = nil
	if code, _ := status(whileContained(served, state), as("create", true)); code != http.StatusOK {
		t.Errorf("contained again: %d, want 200", code)
	}
}
