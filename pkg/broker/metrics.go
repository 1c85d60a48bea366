// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// The metrics of the broker. Their names are stable; docs/metrics.md is made from them.
// None has a label for a user or a namespace: those who read metrics may not see them.
var (
	metricCreations = counters("tenama_creations_total", "Requests to create a namespace, by result: created, Queued, "+
		"BudgetExceeded, BudgetImpossible, NotContained, or another reason of the API, such as Invalid.", "result")
	metricDuration = histogram("tenama_creation_duration_seconds", "Time that it took to create a namespace: from the "+
		"request until the owner could use it.", 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10, 30)
	metricLag = histogram("tenama_expiry_lag_seconds", "Time from the expiry of a namespace to its deletion.",
		0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 600, 3600)
	metricExpired = gauge("tenama_expiries_overdue", "Namespaces that have expired and are not being deleted.")
	metricOldest  = gauge("tenama_expiry_overdue_seconds",
		"Time since the earliest expiry among the namespaces of tenama_expiries_overdue; 0 without any.")
	metricPaused = gauge("tenama_expiry_paused",
		"1 if an administrator had paused the expiries when a namespace was due last, otherwise 0.")
	metricHolds   = gauge("tenama_holds", "Namespaces that administrators keep from expiring.")
	metricHanging = gauge("tenama_deletions_overdue",
		"Namespaces whose deletion takes longer than --revoke-access-after.")
	metricQueue     = gauge("tenama_queue_length", "Requests that wait for capacity, on this replica.")
	metricContained = gauge("tenama_contained",
		"1 while the admission policies are proven to contain the broker, otherwise 0.")
	metricProofs = counters("tenama_containment_proofs_total", "Attempts to prove containment, by result.", "result")
	metricDrift  = counters("tenama_guard_rail_drift_total",
		"Guard rails that differed from their record, by kind, by difference and by outcome.", "kind", "was", "became")
	metricBudgets = gauges("tenama_budget_full_ratio", "Highest used/hard ratio among the limits of a NamespaceBudget.",
		"budget")
	metricWatch = gauge("tenama_watch_age_seconds",
		"Time since kube-apiserver sent the last event or bookmark about namespaces; it sends one a minute.")
	metricRegistered = gauge("tenama_registered",
		"1 if kube-apiserver reaches this installation through the APIService, otherwise 0.")
	metricCertificate = gauge("tenama_certificate_expiry_timestamp_seconds",
		"When the serving certificate of this replica expires, as Unix time; it is renewed long before.")
	metricBuild = gauges("tenama_build_info", "1, with the version of the broker.", "version", "goversion")
)

// A counter that appears with 1 has not increased, for Prometheus: what alerts count begins
// with 0.
func init() {
	for _, result := range []string{"created", string(v1alpha1.CauseBudgetExceeded),
		string(v1alpha1.CauseBudgetImpossible), string(v1alpha1.CauseNotContained),
		string(metav1.StatusReasonInternalError), string(metav1.StatusReasonServerTimeout),
		string(metav1.StatusReasonTimeout), string(metav1.StatusReasonServiceUnavailable), "Unknown"} {
		metricCreations.WithLabelValues(result)
	}
	for _, kind := range []string{"ResourceQuota", "LimitRange", "NetworkPolicy", "ServiceAccount", "RoleBinding",
		"Namespace"} {
		for _, was := range []string{lifecycle.Missing, lifecycle.Changed} {
			for _, became := range []string{lifecycle.Restored, lifecycle.Refused} {
				metricDrift.WithLabelValues(kind, was, became)
			}
		}
	}
}

// documented are the metrics of the broker, in the order of docs/metrics.md.
var documented []documentedMetric

type documentedMetric struct{ name, kind, labels, help string }

func document(kind, name, help string, labels ...string) {
	documented = append(documented, documentedMetric{name, kind, strings.Join(labels, ", "), help})
}

func gauge(name, help string) *metrics.Gauge {
	document("gauge", name, help)
	m := metrics.NewGauge(&metrics.GaugeOpts{Name: name, Help: help, StabilityLevel: metrics.ALPHA})
	legacyregistry.MustRegister(m)
	return m
}

func gauges(name, help string, labels ...string) *metrics.GaugeVec {
	document("gauge", name, help, labels...)
	m := metrics.NewGaugeVec(&metrics.GaugeOpts{Name: name, Help: help, StabilityLevel: metrics.ALPHA}, labels)
	legacyregistry.MustRegister(m)
	return m
}

func counters(name, help string, labels ...string) *metrics.CounterVec {
	document("counter", name, help, labels...)
	m := metrics.NewCounterVec(&metrics.CounterOpts{Name: name, Help: help, StabilityLevel: metrics.ALPHA}, labels)
	legacyregistry.MustRegister(m)
	return m
}

func histogram(name, help string, buckets ...float64) *metrics.Histogram {
	document("histogram", name, help)
	m := metrics.NewHistogram(&metrics.HistogramOpts{Name: name, Help: help, Buckets: buckets,
		StabilityLevel: metrics.ALPHA})
	legacyregistry.MustRegister(m)
	return m
}

// WriteMetrics writes the table of docs/metrics.md.
func WriteMetrics(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Metrics\n\n<!-- This file is made from pkg/broker/metrics.go by make generate. -->\n\n" +
		"The broker serves these metrics. [Installation](install.md#metrics) says who can read them, and\n" +
		"[runbooks](runbooks.md) what to alert on. None has a label for a user or a namespace.\n\n" +
		"| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range slices.SortedFunc(slices.Values(documented), func(a, b documentedMetric) int {
		return strings.Compare(a.name, b.name)
	}) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// recordCreation records the result of a request to create a namespace.
func recordCreation(err error, took time.Duration) {
	if err == nil {
		metricDuration.Observe(took.Seconds())
	}
	metricCreations.WithLabelValues(creationResult(err)).Inc()
}

func creationResult(err error) string {
	if err == nil {
		return "created"
	}
	if apierrors.HasStatusCause(err, v1alpha1.CauseInLine) {
		return "Queued"
	}
	for _, cause := range []metav1.CauseType{
		v1alpha1.CauseBudgetImpossible, v1alpha1.CauseBudgetExceeded, v1alpha1.CauseNotContained,
	} {
		if apierrors.HasStatusCause(err, cause) {
			return string(cause)
		}
	}
	if reason := string(apierrors.ReasonForError(err)); reason != "" {
		return reason
	}
	return "Unknown"
}

// recordBudgets sets the metrics of budgets.
func recordBudgets(shares map[string]float64) {
	metricBudgets.Reset()
	for name, share := range shares {
		metricBudgets.WithLabelValues(name).Set(share)
	}
}

// recordProof updates the metrics of containment.
func recordProof(result string, proof error) {
	metricProofs.WithLabelValues(result).Inc()
	metricContained.Set(boolean(proof == nil))
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
