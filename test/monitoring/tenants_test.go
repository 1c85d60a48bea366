// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/testenv"
)

// startStateMetrics runs kube-state-metrics as examples/monitoring configures it, and returns its
// address.
func startStateMetrics(t *testing.T, c *testenv.Cluster) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "examples", "monitoring", "kube-state-metrics.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Labels      []string `json:"metricLabelsAllowlist"`
		Annotations []string `json:"metricAnnotationsAllowList"`
	}
	if err := yaml.UnmarshalStrict(b, &values); err != nil {
		t.Fatal(err)
	}
	at, telemetry := address(t), address(t)
	host, metrics, _ := strings.Cut(at, ":")
	_, own, _ := strings.Cut(telemetry, ":")
	cmd := exec.Command(testenv.Bin("tools/kube-state-metrics"), "--kubeconfig="+c.Kubeconfig("admin"),
		"--host="+host, "--port="+metrics,
		"--telemetry-host="+host, "--telemetry-port="+own,
		"--resources=namespaces,resourcequotas,deployments",
		"--metric-labels-allowlist="+strings.Join(values.Labels, ","),
		"--metric-annotations-allowlist="+strings.Join(values.Annotations, ","))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return at
}

// The series of each namespace come from kube-state-metrics, configured by examples/monitoring:
// owner and class of each namespace, and the quotas that the alerts about tenants read.
func TestTenants(t *testing.T) {
	ctx := t.Context()
	c, err := testenv.StartCluster(ctx, filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	port, err := c.Install(ctx)
	if err != nil {
		t.Fatal(err)
	}
	broker, err := c.StartBroker(ctx, port, "broker-0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Kill)
	if out, err := c.KubectlIn("alice", "apiVersion: tenama.dev/v1alpha1\nkind: TemporaryNamespace\n"+
		"metadata: {name: tmp-tenant}\nspec: {reason: demo}\n", "create", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	p := startPrometheus(t, startStateMetrics(t, c))
	for _, query := range []string{
		`count by (label_tenama_dev_class) (kube_namespace_labels{label_tenama_dev_managed="true"})`,
		`kube_namespace_created * on (namespace) group_left (annotation_tenama_dev_owner) kube_namespace_annotations` +
			`{annotation_tenama_dev_owner="alice",annotation_tenama_dev_reason="demo"}`,
		`max by (namespace, resource) (kube_resourcequota{type="used", namespace=~"tmp-.+"}
			/ ignoring (type) (kube_resourcequota{type="hard", namespace=~"tmp-.+"} > 0))`,
	} {
		if err := testenv.Eventually(90*time.Second, func() error { return p.shows(query) }); err != nil {
			t.Error(err)
		}
	}
}
