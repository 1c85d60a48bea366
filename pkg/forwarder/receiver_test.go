// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"tenama.dev/tenama/api/v1alpha1"
)

var (
	oldKey = keyPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32)))
	newKey = keyPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
)

// receiver is a webhook that answers as the test tells it to.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer // for the next requests; after them, 204
	got     []event
	headers []http.Header
	bodies  [][]byte
}

type answer struct {
	code       int
	retryAfter string
}

func newReceiver(t *testing.T, answers ...answer) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, _ := io.ReadAll(req.Body)
	a := answer{code: http.StatusNoContent}
	if len(r.answers) > 0 {
		a, r.answers = r.answers[0], r.answers[1:]
	}
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if a.code >= 300 && a.code < 400 {
		w.Header().Set("Location", r.URL+"/elsewhere")
	}
	var e event
	if a.code == http.StatusNoContent && json.Unmarshal(b, &e) == nil {
		r.got = append(r.got, e)
	}
	r.headers, r.bodies = append(r.headers, req.Header), append(r.bodies, b)
	w.WriteHeader(a.code)
}

// types returns "TYPE NAME" of the messages that were accepted.
func (r *receiver) types() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.got {
		for kind, long := range eventTypes {
			if long == e.Context.Type {
				out = append(out, kind+" "+e.Subject.ID)
			}
		}
	}
	return out
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.headers)
}

// scene is a pipeline with a clock that the test moves, and pauses that pass at once.
type scene struct {
	*pipeline
	clock  time.Time
	paused []time.Duration
	kube   *fake.Clientset
}

func newScene(t *testing.T, url string, kube *fake.Clientset, change func(*Endpoint)) *scene {
	t.Helper()
	if kube == nil {
		kube = fake.NewClientset(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ConfigMapName, Namespace: "x"}})
	}
	e := &Endpoint{Name: "chat", URL: url, Keys: []string{newKey}, AllowPrivateAddresses: true}
	if change != nil {
		change(e)
	}
	if errs := e.validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	sender, err := newSender(e)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{clock: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), kube: kube}
	s.pipeline = &pipeline{endpoint: e, source: DefaultSource, sender: sender, log: slog.New(slog.DiscardHandler),
		store: &store{client: kube, namespace: "x", name: ConfigMapName}, now: func() time.Time { return s.clock }}
	s.limit = func(d time.Duration) <-chan time.Time {
		s.paused, s.clock = append(s.paused, d), s.clock.Add(d)
		done := make(chan time.Time, 1)
		done <- s.clock
		return done
	}
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// namespace returns a namespace that was created at noon and lives for two hours.
func namespace(name string, change func(*v1alpha1.TemporaryNamespace)) *v1alpha1.TemporaryNamespace {
	at := metav1.NewTime(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
	end, ttl := metav1.NewTime(at.Add(2*time.Hour)), int64(7200)
	tn := &v1alpha1.TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), ResourceVersion: "7", CreationTimestamp: at},
		Spec:       v1alpha1.TemporaryNamespaceSpec{ClassName: "default", TTLSeconds: &ttl},
		Status: v1alpha1.TemporaryNamespaceStatus{Phase: v1alpha1.PhaseReady, Owner: "alice",
			Lifetime: v1alpha1.LifetimeRenewable, ExpirationTimestamp: &end},
	}
	if change != nil {
		change(tn)
	}
	return tn
}
