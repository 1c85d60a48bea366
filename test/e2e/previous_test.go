// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

// The broker is updated before the plugins of its users are: the plugin of the commit
// before must work with this broker, for what people do every day.
func TestPreviousPlugin(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/previous", previousPlugin(t))
}

// previousPlugin builds the plugin of the commit before HEAD, with the flags of the other
// programs, and returns its path. A checkout without history has none; there HEAD is built.
func previousPlugin(t *testing.T) string {
	t.Helper()
	revision := "HEAD~1"
	parse := exec.CommandContext(t.Context(), "git", "-C", testenv.Root(), "rev-parse", "--verify", "--quiet", revision)
	if err := parse.Run(); err != nil {
		t.Log("the checkout has no commit before HEAD")
		revision = "HEAD"
	}
	source, bin := t.TempDir(), t.TempDir()
	archive := exec.CommandContext(t.Context(), "git", "-C", testenv.Root(), "archive", revision,
		"--", "go.mod", "go.sum", "api", "cmd", "internal", "pkg")
	var complaint bytes.Buffer
	archive.Stderr = &complaint
	files, err := archive.Output()
	if err != nil {
		t.Fatalf("git archive %s: %v: %s", revision, err, complaint.String())
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	unpack.Stdin = bytes.NewReader(files)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v: %s", err, out)
	}
	plugin := filepath.Join(bin, "kubectl-tenama")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", plugin, "./cmd/kubectl-tenama")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin of %s: %v: %s", revision, err, strings.TrimSpace(string(out)))
	}
	return plugin
}
