// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"

	"k8s.io/component-base/metrics/legacyregistry"

	"tenama.dev/tenama/internal/version"
)

// metricsHandler serves /metrics. It has no authentication: to ask kube-apiserver who may read
// metrics, the broker would need the right to review tokens. So it listens on loopback unless an
// administrator opens it (deploy/components/prometheus).
func (s *server) metricsHandler() http.Handler {
	build := version.Get()
	metricBuild.WithLabelValues(build.Version, build.GoVersion).Set(1)
	m := http.NewServeMux()
	all := legacyregistry.Handler()
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		s.measure()
		all.ServeHTTP(w, r)
	})
	return m
}

// measure sets the metrics that show a present state.
func (s *server) measure() {
	n, oldest := s.lifecycle.Overdue()
	metricExpired.Set(float64(n))
	metricOldest.Set(oldest.Seconds())
	metricPaused.Set(boolean(s.lifecycle.Paused()))
	metricHolds.Set(float64(s.lifecycle.Holds()))
	metricHanging.Set(float64(s.lifecycle.Hanging()))
	metricQueue.Set(float64(s.tracker.Queued()))
	metricWatch.Set(s.cache.Age().Seconds())
	if c := s.certificate.Load(); c != nil {
		metricCertificate.Set(float64(c.NotAfter().Unix()))
	}
	r := s.registration.Load()
	metricRegistered.Set(boolean(r != nil && r.Available()))
}
