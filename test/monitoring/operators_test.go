// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

// What administrators add for the operators of Prometheus and Grafana must be what these accept:
// kube-apiserver compares it strictly with the definitions that the operators bring.
func TestOperators(t *testing.T) {
	c, err := testenv.StartCluster(t.Context(), filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := c.Kubectl("admin", args...)
		if err != nil {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
		}
		return out
	}
	kubectl("apply", "--server-side", "-f", testenv.Bin("tools/crds"))
	kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
	dir := t.TempDir()
	deploy, err := filepath.Rel(dir, c.Deploy)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(strings.ReplaceAll(`
resources: [DEPLOY/overlays/default]
components: [DEPLOY/components/forwarder, DEPLOY/components/prometheus, DEPLOY/components/grafana,
  DEPLOY/components/grafana-operator]
`, "DEPLOY", deploy)), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl("apply", "--server-side", "--validate=strict", "-k", dir)
	for _, name := range []string{"podmonitor/tenama-broker", "prometheusrule/tenama", "grafanadashboard/tenama"} {
		kubectl("get", name, "-n", "tenama-system")
	}
	// The PodMonitor selects both programs by a port that their pods have.
	selector := kubectl("get", "podmonitor", "tenama-broker", "-n", "tenama-system", "-o",
		"jsonpath={.spec.selector.matchExpressions[0].values} {.spec.podMetricsEndpoints[0].port}")
	for _, deployment := range []string{"tenama-broker", "tenama-forwarder"} {
		got := kubectl("get", "deployment", deployment, "-n", "tenama-system", "-o",
			`jsonpath={.spec.template.metadata.labels.app\.kubernetes\.io/component}: `+
				`{.spec.template.spec.containers[0].ports[?(@.name=="metrics")].containerPort}`)
		component := strings.TrimPrefix(deployment, "tenama-")
		if got != component+": 8082" || !strings.Contains(selector, `"`+component+`"`) {
			t.Errorf("the pods of deployment %s have %s, the PodMonitor selects %s", deployment, got, selector)
		}
	}
}
