// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// model is what this package reads of a dashboard of Grafana.
type model struct {
	Panels []struct {
		Type, Title string
		FieldConfig struct {
			Defaults struct {
				Unit string
			}
		}
		Targets []struct{ Expr, LegendFormat string }
	}
}

// load uses two brokers as a busy cluster would, until ctx is done: namespaces that expire, that
// are extended and deleted, creations that a budget refuses, a quota that is deleted, a hold.
func load(ctx context.Context, t *testing.T, c *testenv.Cluster, alice *client.Client) {
	t.Helper()
	for i := 0; ctx.Err() == nil; i++ {
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("tmp-load-%d", i)}}
		ttl := int64(5 + 40*(i%3)) // some expire at once
		tn.Spec.TTLSeconds = &ttl
		if i%5 == 4 {
			tn.Spec.ClassName = "small"
		}
		made, err := alice.Create(ctx, tn, metav1.CreateOptions{})
		if err == nil && i%4 == 1 {
			_, _, _ = alice.Extend(ctx, made.Name, func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
				return now.Add(time.Hour)
			}, "busy", metav1.PatchOptions{})
		}
		if i%20 == 2 { // of the default class, and lives long enough
			_, _ = c.Kubectl("admin", "delete", "resourcequota", "tenama", "-n", tn.Name)
		}
		if i == 30 {
			_, _ = c.Kubectl("admin", "tenama", "hold", tn.Name, "--reason=evidence")
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

const small = `
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: small}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 86400}
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceBudget
metadata: {name: small}
spec: {classNames: [small], total: {count/temporarynamespaces: 2}}
`

// A panel without data is worse than none: Prometheus runs the query of each panel against two
// brokers under load, and evaluates all alerts.
func TestDashboard(t *testing.T) {
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
	if out, err := c.KubectlIn("admin", small, "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "admins", "--clusterrole=cluster-admin",
		"--user=alice"); err != nil {
		t.Fatal(out)
	}
	first, second := address(t), address(t)
	broker, err := c.StartBroker(ctx, port, "broker-0", "--metrics-address="+first, "--inspect-interval=3s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Kill)
	other, err := c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1),
		"--metrics-address="+second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Kill)
	p := startPrometheus(t, first, second)
	config, err := testenv.LoadConfig(c.Kubeconfig("alice"))
	if err != nil {
		t.Fatal(err)
	}
	alice, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	go load(working, t, c, alice)

	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "components", "grafana", "tenama.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	queries := 0
	begun := time.Now()
	for _, panel := range m.Panels {
		for _, target := range panel.Targets {
			queries++
			if err := testenv.Eventually(120*time.Second, func() error { return p.shows(target.Expr) }); err != nil {
				t.Errorf("panel %q: %v", panel.Title, err)
			}
		}
	}
	if queries < 20 {
		t.Errorf("the dashboard has %d queries", queries)
	}
	if bad, err := p.ask("/api/v1/query", url.Values{"query": {`ALERTS{alertname!~"TenamaBudget.*"}`}}); err != nil ||
		len(bad) > 0 {
		t.Errorf("alerts on a healthy cluster: %v %v", bad, err)
	}
	if err := testenv.Eventually(120*time.Second, func() error { // the first one counts
		return p.shows(`increase(tenama_guard_rail_drift_total{became="restored",kind="ResourceQuota"}[5m]) > 0`)
	}); err != nil {
		t.Error(err)
	}
	p.checkRules(t)
	if path := os.Getenv("DASHBOARD"); path != "" {
		time.Sleep(time.Until(begun.Add(3 * time.Minute))) // so that there is something to see
		p.draw(t, m, begun, path)
	}
}
