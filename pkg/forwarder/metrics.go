// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"net/http"
	"sync"
	"time"

	"k8s.io/component-base/metrics"
)

// The metrics of the forwarder; docs/notices.md lists them.
var (
	registry       = metrics.NewKubeRegistry()
	metricMessages = metrics.NewCounterVec(&metrics.CounterOpts{Name: "tenama_forwarder_messages_total",
		Help: "Messages, by endpoint and result: delivered, retried, rejected, or expired after a day.",
	}, []string{"endpoint", "result"})
	metricWaiting = metrics.NewGaugeVec(&metrics.GaugeOpts{Name: "tenama_forwarder_waiting_seconds",
		Help: "Time since an endpoint began to accept nothing, while a message waits for it; otherwise 0.",
	}, []string{"endpoint"})
	metricGone = metrics.NewGaugeVec(&metrics.GaugeOpts{Name: "tenama_forwarder_gone",
		Help: "1 if an endpoint answered 410 and gets no messages any more, otherwise 0.",
	}, []string{"endpoint"})
	metricErrors = metrics.NewCounterVec(&metrics.CounterOpts{Name: "tenama_forwarder_errors_total",
		Help: "Failures to read namespaces, or to read or save the position of an endpoint.",
	}, []string{"endpoint"})
)

func init() { registry.MustRegister(metricMessages, metricWaiting, metricGone, metricErrors) }

// waits are the endpoints that accept nothing, with the time of their first failure.
var waits = waiting{since: map[string]time.Time{}}

// waiting is safe for concurrent use.
type waiting struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func (w *waiting) begin(endpoint string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since[endpoint].IsZero() {
		w.since[endpoint] = time.Now()
	}
}

func (w *waiting) end(endpoint string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since[endpoint] = time.Time{}
}

// clear forgets all endpoints.
func (w *waiting) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.since)
}

// measure sets the metric.
func (w *waiting) measure() {
	w.mu.Lock()
	defer w.mu.Unlock()
	metricWaiting.Reset()
	for endpoint, since := range w.since {
		seconds := 0.0
		if !since.IsZero() {
			seconds = time.Since(since).Seconds()
		}
		metricWaiting.WithLabelValues(endpoint).Set(seconds)
	}
}

// zero sets the metrics of an endpoint to 0: for Prometheus, a counter that appears with 1 has
// not increased.
func zero(endpoint string) {
	for _, result := range []string{"delivered", "retried", "rejected", "expired"} {
		metricMessages.WithLabelValues(endpoint, result)
	}
	metricErrors.WithLabelValues(endpoint)
	metricGone.WithLabelValues(endpoint).Set(0)
	waits.end(endpoint)
}

// forget removes what is known of all endpoints, before those of another configuration begin.
func forget() {
	waits.clear()
	metricGone.Reset()
}

// handler serves /metrics and /livez.
func handler() http.Handler {
	mux := http.NewServeMux()
	all := metrics.HandlerFor(registry, metrics.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		waits.measure()
		all.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	return mux
}
