// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// What a receiver answers decides what happens to the message.
func TestAnswers(t *testing.T) {
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, row := range map[string]struct {
		answers  []answer
		requests int
		got      int
		least    time.Duration // of the first pause
		err      error
	}{
		"accepted":                 {nil, 1, 1, 0, nil},
		"accepted with 200":        {[]answer{{code: 200}}, 1, 0, 0, nil},
		"an error, then not":       {[]answer{{code: 500}, {code: 502}}, 3, 1, firstRetry / 2, nil},
		"busy":                     {[]answer{{code: 429, retryAfter: "90"}}, 2, 1, 90 * time.Second, nil},
		"busy until":               {[]answer{{code: 503, retryAfter: at(time.Hour)}}, 2, 1, firstRetry / 2, nil},
		"busy for ever":            {[]answer{{code: 503, retryAfter: "999999999"}}, 2, 1, maxRetryAfter, nil},
		"nonsense":                 {[]answer{{code: 503, retryAfter: "-1"}}, 2, 1, firstRetry / 2, nil},
		"not allowed, then is":     {[]answer{{code: 401}, {code: 403}, {code: 404}}, 4, 1, firstRetry / 2, nil},
		"a redirect":               {[]answer{{code: 302}, {code: 307}}, 3, 1, firstRetry / 2, nil},
		"never acceptable":         {[]answer{{code: 400}, {code: 422}, {code: 415}, {code: 400}}, 3, 0, firstRetry / 2, nil},
		"rejected while it starts": {[]answer{{code: 503}, {code: 503}, {code: 400}}, 4, 1, firstRetry / 2, nil},
		"busy, and rejects": {[]answer{{code: 400}, {code: 503}, {code: 400}, {code: 503}, {code: 400}}, 5, 0,
			firstRetry / 2, nil},
		"gone": {[]answer{{code: 410}}, 1, 0, 0, errGone},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, row.answers...)
			s := newScene(t, r.URL, nil, nil)
			err := s.seen(t.Context(), namespace("a", nil))
			if !errors.Is(err, row.err) || r.requests() != row.requests || len(r.types()) != row.got {
				t.Errorf("err %v, %d requests, accepted %v; want %v, %d, %d", err, r.requests(), r.types(), row.err,
					row.requests, row.got)
			}
			if row.least > 0 && (len(s.paused) == 0 || s.paused[0] < row.least || s.paused[0] > maxRetryAfter) {
				t.Errorf("pauses %v, want at least %s", s.paused, row.least)
			}
			ids := map[string]bool{}
			for _, h := range r.headers {
				ids[h.Get("webhook-id")] = true
			}
			if len(ids) != 1 {
				t.Errorf("the message has the ids %v", ids)
			}
		})
	}
}

// An endpoint that is gone gets nothing, also after a restart, until it has another address.
func TestGone(t *testing.T) {
	r := newReceiver(t, answer{code: 410})
	s := newScene(t, r.URL, nil, nil)
	if err := s.seen(t.Context(), namespace("a", nil)); !errors.Is(err, errGone) {
		t.Fatal(err)
	}
	s.finish()
	if again := newScene(t, r.URL, s.kube, nil); again.position.Gone == "" {
		t.Error("after a restart, messages are sent again")
	}
	if moved := newScene(t, r.URL+"/other", s.kube, nil); moved.position.Gone != "" {
		t.Error("at another address, no messages are sent")
	}
}

// After a weekend without a forwarder, messages are old when they are sent first: a receiver that
// asks for a pause must not lose them.
func TestOldMessages(t *testing.T) {
	r := newReceiver(t, answer{code: 429}, answer{code: 429})
	s := newScene(t, r.URL, nil, nil)
	s.clock = s.clock.Add(60 * time.Hour)
	if err := s.seen(t.Context(), namespace("a", nil)); err != nil || len(r.types()) != 1 {
		t.Errorf("messages %v, err %v", r.types(), err)
	}
}

// A failure of yesterday, after which the endpoint accepted messages, must not count for an old
// message of today.
func TestFailsAgain(t *testing.T) {
	r := newReceiver(t, answer{code: 500}, answer{code: 204}, answer{code: 500})
	s := newScene(t, r.URL, nil, nil)
	if err := s.seen(t.Context(), namespace("a", nil)); err != nil {
		t.Fatal(err)
	}
	s.clock = s.clock.Add(30 * time.Hour)
	if err := s.seen(t.Context(), namespace("b", nil)); err != nil || len(r.types()) != 2 {
		t.Errorf("messages %v, err %v", r.types(), err)
	}
}

// waited returns tenama_forwarder_waiting_seconds of an endpoint, as Prometheus reads it.
func waited(t *testing.T, endpoint string) float64 {
	t.Helper()
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	m := regexp.MustCompile(`tenama_forwarder_waiting_seconds\{endpoint="` + endpoint + `"\} (\S+)`).
		FindStringSubmatch(w.Body.String())
	if m == nil {
		t.Fatalf("no metric of %s: %s", endpoint, w.Body)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The alert about an endpoint that accepts nothing must count from the first failure, also while
// a long pause goes on, and must end with the failures, or when the endpoint is gone.
func TestWaiting(t *testing.T) {
	for name, answers := range map[string][]answer{
		"works-again": {{code: 500}, {code: 500}}, "is-gone": {{code: 500}, {code: 410}},
		"rejects": {{code: 400}, {code: 400}, {code: 400}},
	} {
		r := newReceiver(t, answers...)
		s := newScene(t, r.URL, nil, func(e *Endpoint) { e.Name = name })
		zero(name)
		limit := s.limit
		var during []float64
		s.limit = func(d time.Duration) <-chan time.Time {
			time.Sleep(time.Millisecond)
			during = append(during, waited(t, name))
			return limit(d)
		}
		if before := waited(t, name); before != 0 {
			t.Errorf("%s: before, %v s", name, before)
		}
		_ = s.seen(t.Context(), namespace("a", nil))
		if after := waited(t, name); after != 0 {
			t.Errorf("%s: afterwards, %v s", name, after)
		}
		if len(during) == 0 || !slices.IsSorted(during) || during[0] <= 0 {
			t.Errorf("%s: meanwhile %v s", name, during)
		}
	}
}

// A receiver that is down for days must not hold up what comes later for ever.
func TestTooOld(t *testing.T) {
	s := newScene(t, "http://127.0.0.1:1", nil, nil)
	if err := s.seen(t.Context(), namespace("a", nil)); err != nil {
		t.Fatal(err)
	}
	if took := s.clock.Sub(namespace("a", nil).CreationTimestamp.Time); took < maxAge || took > maxAge+2*lastRetry {
		t.Errorf("the message was dropped after %s", took)
	}
	if w := waited(t, "chat"); w != 0 {
		t.Errorf("a message that was dropped waits for %v s", w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.gone(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipeline that is to stop: %v", err)
	}
	if _, known := s.position.Known["a"]; !known {
		t.Error("what was not delivered counts as delivered")
	}
}
