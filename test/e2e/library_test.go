// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// The commands for plain HTTP in docs/api.md must work exactly as shown there.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## Plain HTTP\n")
	_, lines, _ := strings.Cut(section, "```sh\n")
	lines, _, found := strings.Cut(lines, "```\n")
	if !found {
		t.Fatal("docs/api.md has no commands")
	}
	cmd := exec.Command("sh", "-eu", "-c", lines+`[ "$(api "$tns" | grep -c '"'"$ns"'"')" = 0 ] && echo "gone: $ns"`)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "SERVER="+shared.Server, "CACERT="+filepath.Join(shared.Dir, "pki", "serving-ca.crt"),
		"TOKEN="+bearer(t, shared.Cluster, "dora"), "ID=4711")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	var first, second time.Time
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "tmp-job-4711 until "); ok {
			first, err = time.Parse(time.RFC3339, rest)
		} else if at, e := time.Parse(time.RFC3339, line); e == nil {
			second = at
		}
	}
	if err != nil || first.IsZero() || second.Sub(first) < 90*time.Minute || !strings.Contains(text, `"phase": "Ready"`) ||
		!strings.Contains(text, "gone: tmp-job-4711") {
		t.Errorf("%v\n%s", err, text)
	}
}

// The examples in the documentation of the library must work exactly as shown there.
func TestExamples(t *testing.T) {
	cmd := exec.Command("go", "test", "-trimpath", "-count=1", "-v", "-run", "^Example", "./pkg/client")
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "TENAMA_EXAMPLES=1", "KUBECONFIG="+shared.Kubeconfig("alice"), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: Example") != 4 {
		t.Errorf("%v\n%s", err, out)
	}
}
