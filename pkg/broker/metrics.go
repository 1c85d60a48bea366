// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
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

var metricBudgets = metrics.NewGaugeVec(&metrics.GaugeOpts{
	Name: "tenama_budget_full_ratio", Help: "Highest used/hard ratio among the limits of a NamespaceBudget.",
	StabilityLevel: metrics.ALPHA,
}, []string{"budget"})

func init() {
	legacyregistry.MustRegister(metricContained, metricProofs, metricDrift, metricOverdue, metricBudgets)
}

// metricsHandler serves /metrics. It has no authentication: to ask kube-apiserver who may read
// metrics, the broker would need the right to review tokens. So it listens on loopback unless an
// administrator opens it (deploy/components/prometheus). overdue returns how many deletions take
// too long.
func metricsHandler(overdue func() int) http.Handler {
	m := http.NewServeMux()
	metrics := legacyregistry.Handler()
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		metricOverdue.Set(float64(overdue()))
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
