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
)

func init() { registry.MustRegister(metricMessages, metricOldest) }

// handler serves /metrics and /livez.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.HandlerFor(registry, metrics.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	return mux
}
