// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// Metrics for alerts of administrators; docs/security.md lists them.
var (
	metricContained = metrics.NewGauge(&metrics.GaugeOpts{
		Name: "tenama_contained", Help: "1 while the admission policies are proven to contain the broker, otherwise 0.",
		StabilityLevel: metrics.ALPHA,
	})
	metricProofs = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "tenama_containment_proofs_total", Help: "Number of attempts to prove containment, by result.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"result"})
	metricDrift = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "tenama_guard_rail_drift_total",
		Help:           "Number of guard rails that differed from their record, by kind, by difference and by outcome.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind", "was", "became"})
)

var metricOverdue = metrics.NewGauge(&metrics.GaugeOpts{
	Name:           "tenama_deletions_overdue",
	Help:           "Number of temporary namespaces whose deletion takes longer than --revoke-access-after.",
	StabilityLevel: metrics.ALPHA,
})

// Metrics of the expiry. What is overdue by more than seconds was not deleted in time.
var (
	metricExpired = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "tenama_expiries_overdue",
		Help:           "Number of temporary namespaces that have expired and are not being deleted yet.",
		StabilityLevel: metrics.ALPHA,
	})
	metricOldest = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "tenama_expiry_overdue_seconds",
		Help:           "Seconds since the earliest expiry among the namespaces of tenama_expiries_overdue; 0 without any.",
		StabilityLevel: metrics.ALPHA,
	})
	metricPaused = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "tenama_expiry_paused",
		Help:           "1 if an administrator had paused the expiries when a namespace was due last, otherwise 0.",
		StabilityLevel: metrics.ALPHA,
	})
	metricHolds = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "tenama_holds",
		Help:           "Number of temporary namespaces that administrators keep from expiring.",
		StabilityLevel: metrics.ALPHA,
	})
)

var metricBudgets = metrics.NewGaugeVec(&metrics.GaugeOpts{
	Name: "tenama_budget_full_ratio", Help: "Highest used/hard ratio among the limits of a NamespaceBudget.",
	StabilityLevel: metrics.ALPHA,
}, []string{"budget"})

func init() {
	legacyregistry.MustRegister(metricContained, metricProofs, metricDrift, metricOverdue, metricBudgets,
		metricExpired, metricOldest, metricPaused, metricHolds)
}

// metricsHandler serves /metrics. It has no authentication: to ask kube-apiserver who may read
// metrics, the broker would need the right to review tokens. So it listens on loopback unless an
// administrator opens it (deploy/components/prometheus).
func metricsHandler(l *lifecycle.Manager) http.Handler {
	m := http.NewServeMux()
	metrics := legacyregistry.Handler()
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		metricOverdue.Set(float64(l.Hanging()))
		n, oldest := l.Overdue()
		metricExpired.Set(float64(n))
		metricOldest.Set(oldest.Seconds())
		metricHolds.Set(float64(l.Holds()))
		metricPaused.Set(0)
		if l.Paused() {
			metricPaused.Set(1)
		}
		metrics.ServeHTTP(w, r)
	})
	return m
}

// measureBudgets sets the metrics of budgets.
func measureBudgets(shares map[string]float64) {
	metricBudgets.Reset()
	for name, share := range shares {
		metricBudgets.WithLabelValues(name).Set(share)
	}
}

// recordProof updates the metrics of containment.
func recordProof(result string, proof error) {
	metricProofs.WithLabelValues(result).Inc()
	contained := 0.0
	if proof == nil {
		contained = 1
	}
	metricContained.Set(contained)
}
