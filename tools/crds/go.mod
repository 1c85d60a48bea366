// For tests only (test/monitoring): definitions of custom resources, no code. It has no
// packages, so go mod tidy would empty it.
module tenama.dev/tenama/tools/crds

go 1.26.0

require (
	github.com/grafana/grafana-operator/v5 v5.19.4
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
