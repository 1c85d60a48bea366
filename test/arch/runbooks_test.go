// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestRunbooks fails if an alert has no section in docs/runbooks.md, or the page has one that is
// no alert's; and if an alert or the dashboard asks for a metric that the broker does not have.
func TestRunbooks(t *testing.T) {
	read := func(path ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{root(t)}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var rules struct {
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
	if err := yaml.Unmarshal([]byte(read("deploy", "components", "prometheus", "rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(read("docs", "runbooks.md"), -1) {
		sections[m[1]] = true
	}
	queries := read("deploy", "components", "grafana", "tenama.json")
	for _, g := range rules.Spec.Groups {
		for _, r := range g.Rules {
			if !sections[r.Alert] {
				t.Errorf("docs/runbooks.md has no section %s", r.Alert)
			}
			delete(sections, r.Alert)
			if want := "https://tenama.dev/docs/runbooks#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
				t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
			}
			queries += r.Expr
		}
	}
	for name := range sections {
		t.Errorf("docs/runbooks.md has a section %s, which is no alert", name)
	}
	table := read("docs", "metrics.md") + read("docs", "notices.md")
	for _, name := range regexp.MustCompile(`tenama_[a-z_]+`).FindAllString(queries, -1) {
		name = strings.TrimSuffix(name, "_bucket")
		if !strings.Contains(table, "`"+name+"`") && !strings.Contains(table, "`"+name+"{") {
			t.Errorf("an alert or the dashboard asks for %s, which neither docs/metrics.md nor docs/notices.md lists", name)
		}
	}
}
