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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// Receivers learn of each change once, and of nothing that is none.
func TestMessages(t *testing.T) {
	extend := func(tn *v1alpha1.TemporaryNamespace) {
		end := metav1.NewTime(tn.CreationTimestamp.Add(3 * time.Hour))
		tn.Spec.ExtendUntil, tn.Status.ExpirationTimestamp, tn.Status.Extensions = &end, &end, 1
	}
	for name, row := range map[string]struct {
		change func(*Endpoint)
		events []*v1alpha1.TemporaryNamespace
		want   []string
	}{
		"created": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil)}, []string{"created a"}},
		"not before it is complete": {nil, []*v1alpha1.TemporaryNamespace{
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) { tn.Status.Phase = v1alpha1.PhasePending }),
		}, nil},
		"once": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil), namespace("a", nil)}, []string{"created a"}},
		"extended": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil), namespace("a", extend)},
			[]string{"created a", "modified a"}},
		"a label": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil),
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) { tn.Labels = map[string]string{"tier": "pro"} })},
			[]string{"created a", "modified a"}},
		"the renewal of a lease": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", lease(60)), namespace("a", lease(90))},
			[]string{"created a"}},
		"being deleted": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil),
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) {
				now := metav1.NewTime(tn.CreationTimestamp.Add(time.Hour))
				tn.DeletionTimestamp, tn.Status.Phase = &now, v1alpha1.PhaseTerminating
			})}, []string{"created a", "modified a"}},
		"recreated": {nil, []*v1alpha1.TemporaryNamespace{namespace("a", nil),
			namespace("a", func(tn *v1alpha1.TemporaryNamespace) { tn.UID = "another" })},
			[]string{"created a", "deleted a", "created a"}},
		"of another class": {func(e *Endpoint) { e.ClassNames = []string{"gold"} },
			[]*v1alpha1.TemporaryNamespace{namespace("a", nil)}, nil},
		"of another type": {func(e *Endpoint) { e.Types = []string{modified} },
			[]*v1alpha1.TemporaryNamespace{namespace("a", nil), namespace("a", extend)}, []string{"modified a"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			s := newScene(t, r.URL, nil, row.change)
			for _, tn := range row.events {
				if err := s.seen(t.Context(), tn); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(row.want, r.types()); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// lease makes a namespace one that a process keeps.
func lease(renewed int) func(*v1alpha1.TemporaryNamespace) {
	return func(tn *v1alpha1.TemporaryNamespace) {
		seconds := int64(60)
		at := metav1.NewTime(tn.CreationTimestamp.Add(time.Duration(renewed) * time.Second))
		end := metav1.NewTime(at.Add(time.Minute))
		tn.Spec.LeaseDurationSeconds, tn.Spec.RenewTime, tn.Status.ExpirationTimestamp = &seconds, &at, &end
	}
}

// After a restart, receivers get what happened meanwhile, with what was known of the
// namespaces that are gone, and nothing twice.
func TestRestart(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, nil)
	for _, name := range []string{"a", "b"} {
		if err := s.seen(t.Context(), namespace(name, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.save(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	again := newScene(t, r.URL, s.kube, nil)
	all := []v1alpha1.TemporaryNamespace{*namespace("c", nil), *namespace("b", nil)}
	if err := again.relist(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	want := []string{"created a", "created b", "deleted a", "created c"}
	if diff := cmp.Diff(want, r.types()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if d := r.got[2].CustomData; d.Owner != "alice" || d.ClassName != "default" || d.UID != "uid-a" ||
		d.ExpirationTimestamp == nil || !d.ExpirationTimestamp.Equal(namespace("a", nil).Status.ExpirationTimestamp.Time) {
		t.Errorf("the message about a namespace that is gone: %+v", d)
	}
}

// An endpoint that is added to a full cluster must not get a message for each namespace, but
// for each change since: also for those that a watch missed, after which all are listed again.
func TestNewEndpoint(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, nil)
	if err := s.relist(t.Context(), []v1alpha1.TemporaryNamespace{*namespace("a", nil)}); err != nil {
		t.Fatal(err)
	}
	if got := r.types(); got != nil {
		t.Errorf("at the start: %v", got)
	}
	err := s.relist(t.Context(), []v1alpha1.TemporaryNamespace{*namespace("b", nil)})
	if diff := cmp.Diff([]string{"deleted a", "created b"}, r.types()); err != nil || diff != "" {
		t.Errorf("err %v, messages (-want +got):\n%s", err, diff)
	}
}

// A namespace that is changed all the time must not hold up the messages about others; what it
// is in the end is told, also after a restart.
func TestModifiedAllTheTime(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, nil)
	label := func(n int) *v1alpha1.TemporaryNamespace {
		return namespace("a", func(tn *v1alpha1.TemporaryNamespace) {
			tn.Labels = map[string]string{"n": strconv.Itoa(n)}
		})
	}
	for n := range 100 {
		s.clock = s.clock.Add(100 * time.Millisecond)
		if err := s.seen(t.Context(), label(n)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.types()); n > 3 { // created, modified, and at most one more in 10 s
		t.Errorf("%d messages about 100 changes in ten seconds", n)
	}
	s.finish()
	again := newScene(t, r.URL, s.kube, nil)
	again.clock = s.clock.Add(modifiedInterval)
	read := func(string) (*v1alpha1.TemporaryNamespace, error) { return label(99), nil }
	for range 2 {
		if err := again.putOff(t.Context(), read); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.got[len(r.got)-1].CustomData.Labels["n"]; got != "99" || len(r.types()) > 4 {
		t.Errorf("the last message is about change %s, of %d messages", got, len(r.types()))
	}
}

// A forwarder that ends before it could list must not take all namespaces for new ones when it
// starts again.
func TestEndBeforeFirstList(t *testing.T) {
	s := newScene(t, "http://127.0.0.1:1", nil, nil)
	s.finish()
	again := newScene(t, "http://127.0.0.1:1", s.kube, nil)
	if !again.fresh {
		t.Error("a position was saved that knows of nothing")
	}
}

// Notice is given once, in time, and after an outage only the latest one.
func TestExpiring(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, func(e *Endpoint) { e.Types = []string{expiring} })
	tn := namespace("a", nil)
	read := func(string) (*v1alpha1.TemporaryNamespace, error) { return tn, nil }
	if err := s.seen(t.Context(), tn); err != nil {
		t.Fatal(err)
	}
	start := s.clock
	for _, row := range []struct {
		after time.Duration
		want  int
	}{{30 * time.Minute, 0}, {time.Hour, 1}, {61 * time.Minute, 1}, {118 * time.Minute, 2}, {125 * time.Minute, 2}} {
		s.clock = start.Add(row.after)
		if err := s.notices(t.Context(), read); err != nil {
			t.Fatal(err)
		}
		if n := len(r.types()); n != row.want {
			t.Errorf("after %s: %d notices, want %d", row.after, n, row.want)
		}
	}
	if e := r.got[1]; !strings.HasSuffix(e.Context.ID, "-300") || e.CustomData.ExpirationTimestamp == nil {
		t.Errorf("after an outage, the notice of five minutes is due: %+v", e)
	}
}

// The notices of an expiry that was moved are void: the user who moved it knows. Here, the one
// of an hour before the new expiry would be due at once.
func TestExpiringMoved(t *testing.T) {
	r := newReceiver(t)
	s := newScene(t, r.URL, nil, func(e *Endpoint) { e.Types = []string{expiring} })
	moved := namespace("a", func(tn *v1alpha1.TemporaryNamespace) {
		end := metav1.NewTime(tn.CreationTimestamp.Add(150 * time.Minute))
		tn.Status.ExpirationTimestamp = &end
	})
	start := s.clock
	for _, row := range []struct {
		after time.Duration
		tn    *v1alpha1.TemporaryNamespace
		want  int
	}{{0, namespace("a", nil), 0}, {time.Hour, namespace("a", nil), 1}, {100 * time.Minute, moved, 1},
		{135 * time.Minute, moved, 2}} {
		s.clock = start.Add(row.after)
		if err := s.seen(t.Context(), row.tn); err != nil {
			t.Fatal(err)
		}
		read := func(string) (*v1alpha1.TemporaryNamespace, error) { return row.tn, nil }
		if err := s.notices(t.Context(), read); err != nil {
			t.Fatal(err)
		}
		if n := len(r.types()); n != row.want {
			t.Errorf("after %s: %d notices, want %d", row.after, n, row.want)
		}
	}
}

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
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.gone(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipeline that is to stop: %v", err)
	}
	if _, known := s.position.Known["a"]; !known {
		t.Error("what was not delivered counts as delivered")
	}
}
