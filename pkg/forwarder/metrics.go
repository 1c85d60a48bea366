// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"net/http"

	"k8s.io/component-base/metrics"
)

// The metrics of the forwarder; docs/notices.md lists them.
var (
	registry       = metrics.NewKubeRegistry()
	metricMessages = metrics.NewCounterVec(&metrics.CounterOpts{Name: "tenama_forwarder_messages_total",
		Help: "Messages, by endpoint and result: delivered, retried, rejected, or expired after a day.",
	}, []string{"endpoint", "result"})
	metricOldest = metrics.NewGaugeVec(&metrics.GaugeOpts{Name: "tenama_forwarder_waiting_seconds",
		Help: "Age of the message that an endpoint did not accept yet; 0 without any.",
	}, []string{"endpoint"})
	metricGone = metrics.NewGaugeVec(&metrics.GaugeOpts{Name: "tenama_forwarder_gone",
		Help: "1 if an endpoint answered 410 and gets no messages any more, otherwise 0.",
	}, []string{"endpoint"})
)

func init() { registry.MustRegister(metricMessages, metricOldest, metricGone) }

// begun sets the metrics of an endpoint to 0: for Prometheus, a counter that appears with 1 has
// not increased.
func begun(endpoint string) {
	for _, result := range []string{"delivered", "retried", "rejected", "expired"} {
		metricMessages.WithLabelValues(endpoint, result)
	}
	metricOldest.WithLabelValues(endpoint).Set(0)
	metricGone.WithLabelValues(endpoint).Set(0)
}

// forget removes the metrics of all endpoints, before those of another configuration begin.
func forget() {
	metricOldest.Reset()
	metricGone.Reset()
}

// handler serves /metrics and /livez.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.HandlerFor(registry, metrics.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	return mux
}
