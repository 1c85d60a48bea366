// SPDX-License-Identifier: Apache-2.0

// Package monitoring tests the alerts and the dashboard in deploy/components with Prometheus.
package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/testenv"
)

// rule is what this package reads of a PrometheusRule.
type rule struct {
	Spec struct {
		Groups []struct {
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// rules writes the rules of deploy/components/prometheus as Prometheus reads them to a file in
// dir, and returns them.
func rules(t *testing.T, dir string) rule {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "components", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	var r rule
	if err := yaml.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(all["spec"])
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "rules.yaml"), spec, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An alert that does not fire when it should, or that fires all the time, is worse than none:
// promtool checks each of them with series for both.
func TestAlerts(t *testing.T) {
	dir := t.TempDir()
	r := rules(t, dir)
	b, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alerts.yaml"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "alerts.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %s", args, out)
		}
	}
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name  string `json:"alertname"`
				Fires []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(b, &tests); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, one := range tests.Tests {
		for _, a := range one.Alerts {
			fires[a.Name], silent[a.Name] = fires[a.Name] || len(a.Fires) > 0, silent[a.Name] || len(a.Fires) == 0
		}
	}
	for _, g := range r.Spec.Groups {
		for _, rule := range g.Rules {
			if !fires[rule.Alert] || !silent[rule.Alert] {
				t.Errorf("%s: a test in which it fires: %t, one in which it does not: %t", rule.Alert, fires[rule.Alert],
					silent[rule.Alert])
			}
		}
	}
}
