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

// load uses the brokers as a busy cluster would, until ctx is done: namespaces that expire, that
// are extended and deleted, creations that a budget refuses, a quota that is deleted, a hold.
func (s *site) load(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		name, class := fmt.Sprintf("tmp-load-%d", i), ""
		if i%5 == 4 {
			class = "small"
		}
		err := s.create(ctx, name, class, time.Duration(5+40*(i%3))*time.Second) // some expire at once
		if err == nil && i%4 == 1 {
			_, _, _ = s.alice.Extend(ctx, name, func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
				return now.Add(time.Hour)
			}, "busy", metav1.PatchOptions{})
		}
		if i%20 == 2 { // of the default class, and lives long enough
			_, _ = s.Kubectl("admin", "delete", "resourcequota", "tenama", "-n", name)
		}
		if i == 30 {
			_, _ = s.Kubectl("admin", "tenama", "hold", name, "--reason=evidence")
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// A panel without data is worse than none: Prometheus runs the query of each panel against two
// brokers under load, and evaluates all alerts.
func TestDashboard(t *testing.T) {
	s := newSite(t, "--inspect-interval=3s")
	p := startPrometheus(t, s.metrics[0], s.metrics[1])
	working, stop := context.WithCancel(t.Context())
	defer stop()
	go s.load(working)

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
