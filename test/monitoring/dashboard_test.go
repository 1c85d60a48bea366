// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

// series is what Prometheus answers.
type series struct {
	Metric map[string]string `json:"metric"`
	Value  []any             `json:"value"`
	Values [][]any           `json:"values"`
}

// prometheus is a running Prometheus that reads the metrics of brokers.
type prometheus string

// ask returns the result of a query of the API of Prometheus.
func (p prometheus) ask(path string, args url.Values) ([]series, error) {
	resp, err := http.Get("http://" + string(p) + path + "?" + args.Encode())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []series
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Status != "success" {
		return nil, fmt.Errorf("%s: %v: %s", path, err, b)
	}
	return answer.Data.Result, nil
}

// query returns the value of an expression now, as Grafana would ask for it.
func (p prometheus) query(expr string) ([]series, error) {
	return p.ask("/api/v1/query", url.Values{"query": {grafana(expr)}})
}

// grafana replaces what Grafana replaces.
func grafana(expr string) string { return strings.ReplaceAll(expr, "$__rate_interval", "30s") }

func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startPrometheus runs the Prometheus of this machine with the rules, for the given targets.
func startPrometheus(t *testing.T, targets ...string) prometheus {
	t.Helper()
	dir, at := t.TempDir(), address(t)
	rules(t, dir)
	config := "global: {scrape_interval: 2s, evaluation_interval: 5s}\nrule_files: [rules.yaml]\n" +
		"scrape_configs:\n- {job_name: tenama, static_configs: [{targets: [\"" + strings.Join(targets, `", "`) + "\"]}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
		"--web.listen-address="+at)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); log.Close() })
	p := prometheus(at)
	if err := testenv.Eventually(60*time.Second, func() error {
		found, err := p.query("sum(up)")
		if err == nil && (len(found) == 0 || found[0].Value[1] != strconv.Itoa(len(targets))) {
			err = fmt.Errorf("Prometheus reads %v of %d brokers", found, len(targets))
		}
		return err
	}); err != nil {
		out, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s", err, out)
	}
	return p
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

// shows returns an error if a query has no number as its result.
func (p prometheus) shows(expr string) error {
	found, err := p.query(expr)
	if err != nil {
		return err
	}
	for _, s := range found {
		if v, err := strconv.ParseFloat(s.Value[1].(string), 64); err == nil && !math.IsNaN(v) {
			return nil
		}
	}
	return fmt.Errorf("no data for %s: %v", expr, found)
}

// checkRules fails for an alert that Prometheus cannot evaluate.
func (p prometheus) checkRules(t *testing.T) {
	t.Helper()
	resp, err := http.Get("http://" + string(p) + "/api/v1/rules")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range all.Data.Groups {
		for _, r := range g.Rules {
			if n++; r.Health != "ok" {
				t.Errorf("%s: %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if n < 10 {
		t.Errorf("Prometheus has %d rules", n)
	}
}

// draw writes the data of all panels to a file, from which bin/tools/plot draws the picture of
// the documentation.
func (p prometheus) draw(t *testing.T, m model, from time.Time, path string) {
	t.Helper()
	type line struct {
		Name   string       `json:"name"`
		Points [][2]float64 `json:"points"`
	}
	type drawn struct {
		Title, Unit, Type string
		Lines             []line
	}
	var out []drawn
	for _, panel := range m.Panels {
		d := drawn{Title: panel.Title, Unit: panel.FieldConfig.Defaults.Unit, Type: panel.Type}
		for _, target := range panel.Targets {
			found, err := p.ask("/api/v1/query_range", url.Values{"query": {grafana(target.Expr)}, "step": {"2"},
				"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(time.Now().Unix(), 10)}})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range found {
				name := target.LegendFormat
				for k, v := range s.Metric {
					name = strings.ReplaceAll(name, "{{"+k+"}}", v)
				}
				l := line{Name: name}
				for _, v := range s.Values {
					if y, err := strconv.ParseFloat(v[1].(string), 64); err == nil && !math.IsNaN(y) {
						l.Points = append(l.Points, [2]float64{v[0].(float64) - float64(from.Unix()), y})
					}
				}
				d.Lines = append(d.Lines, l)
			}
		}
		out = append(out, d)
	}
	b, err := json.Marshal(out)
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
