// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
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

	"tenama.dev/tenama/test/testenv"
)

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
