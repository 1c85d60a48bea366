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

// Users of the first tenama follow docs/migration.md: what hack/migrate makes of its
// configuration must be usable, and every line of the page must work.
func TestMigration(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	start(t, c, port, "broker-0", widened(t, c, "ci-")...)
	migrate := exec.Command("go", "run", "./hack/migrate", "hack/migrate/testdata/config.yaml")
	migrate.Dir = testenv.Root()
	manifests, err := migrate.Output()
	if err != nil {
		t.Fatalf("hack/migrate: %v", err)
	}
	// The users of the page, instead of those in the configuration.
	text := strings.NewReplacer("name: user1\n", "name: ada\n", "name: 'group: user'\n", "name: dora\n").
		Replace(string(manifests))
	if out, err := c.KubectlIn("admin", text, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "wait", "--for=condition=Ready", "--timeout=90s",
		"namespaceclass/default"); err != nil {
		t.Fatal(out)
	}
	page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "migration.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := tutorial(string(page))
	if err != nil || len(steps) < 6 {
		t.Fatalf("docs/migration.md has %d commands: %v", len(steps), err)
	}
	home := homeOn(t, c, "ada")
	for _, s := range steps {
		if err := compare(s.shown, typed(t, home, s.command)); err != nil {
			t.Errorf("docs/migration.md, line %d: %s: %v", s.line, s.command, err)
		}
	}

	_, lines, _ := strings.Cut(string(page), "```sh\n")
	lines, _, found := strings.Cut(lines, "```\n")
	if !found {
		t.Fatal("docs/migration.md has no lines for curl")
	}
	cmd := exec.Command("sh", "-eu", "-c", lines)
	cmd.Env = append(os.Environ(), "SERVER="+c.Server, "CACERT="+filepath.Join(c.Dir, "pki", "serving-ca.crt"),
		"TOKEN="+bearer(t, c, "dora"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"kind":"TemporaryNamespaceList"`, `"name":"bob"`, "tenama-version: "} {
		if !strings.Contains(strings.ToLower(strings.ReplaceAll(string(out), " ", "")),
			strings.ToLower(strings.ReplaceAll(want, " ", ""))) {
			t.Errorf("the lines for curl do not print %s:\n%s", want, out)
		}
	}
	if err := testenv.Eventually(time.Minute, func() error {
		_, err := c.Kubectl("admin", "wait", "--for=delete", "--timeout=1s", "namespace/ci-shop-42",
			"namespace/ci-shop-43")
		return err
	}); err != nil {
		t.Errorf("a namespace that was deleted remains: %v", err)
	}
}
