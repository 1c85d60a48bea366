// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// quotaConflict is a conflict of quota admission. It comes without any fault of the
// caller, on a machine with many requests at a time.
const quotaConflict = "a conflict of quota"

// faults are the failures of kube-apiserver, or of the connection to it, that any call
// may meet.
var faults = map[string]testenv.Fault{
	"a conflict": {Code: 409, Body: status(409, "Conflict")},
	quotaConflict: {Code: 409, Body: `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected",` +
		`"reason":"Conflict","code":409,"details":{"kind":"resourcequotas","name":"tenama"}}`},
	"too many requests":         {Code: 429, Body: status(429, "TooManyRequests"), Retry: true},
	"an internal error":         {Code: 500, Body: status(500, "InternalError")},
	"unavailable":               {Code: 503, Body: status(503, "ServiceUnavailable")},
	"a timeout":                 {Code: 504, Body: status(504, "Timeout")},
	"a cut":                     {},
	"a hang and a cut":          {Hang: 2 * time.Second},
	"an internal error, done":   {Code: 500, Body: status(500, "InternalError"), Late: true},
	"too many requests, done":   {Code: 429, Body: status(429, "TooManyRequests"), Retry: true, Late: true},
	"a timeout, done":           {Code: 504, Body: status(504, "Timeout"), Late: true},
	"a cut, done":               {Late: true},
	"an answer of another kind": {Code: 502, Body: "<html>Bad Gateway</html>"},
}

func status(code int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":%q,"code":%d}`,
		reason, code)
}

// call is a request of the broker about one namespace: the method and the path without
// names, and its position among requests with the same method and path.
type call struct {
	what string
	nth  int
}

// breaker injects a fault into one call for each of many namespaces at the same time.
type breaker struct {
	mu    sync.Mutex
	plans map[string]*plan // by name of the namespace
}

type plan struct {
	at    call
	fault testenv.Fault
	times int // how often, from at.nth on
	seen  map[string]int
	calls []call
	fired int
}

var nameOf = regexp.MustCompile(`tmp-f-[a-z0-9]+`)

// decide counts the request and returns its fault. The name is in the path or, as
// bytes, in the body.
func (b *breaker) decide(r *http.Request) *testenv.Fault {
	if r.URL.Query().Get("watch") != "" || r.URL.Query().Get("dryRun") != "" {
		return nil
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	name := nameOf.FindString(r.URL.Path)
	if name == "" {
		name = nameOf.FindString(string(body))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.plans[name]
	if p == nil {
		return nil
	}
	what := r.Method + " " + nameOf.ReplaceAllString(r.URL.Path, "NAME")
	p.seen[what]++
	p.calls = append(p.calls, call{what, p.seen[what]})
	if what != p.at.what || p.seen[what] < p.at.nth || p.fired >= p.times {
		return nil
	}
	p.fired++
	f := p.fault
	return &f
}

func (b *breaker) plan(name string, at call, f testenv.Fault, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plans[name] = &plan{at: at, fault: f, times: times, seen: map[string]int{}}
}

func (b *breaker) done(name string) plan {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := *b.plans[name]
	p.calls = slices.Clone(p.calls)
	return p
}
