// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Without this test, krew could refuse a release, or never upgrade to it.
func TestVersion(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1")
	for version, valid := range map[string]bool{
		"v0.1.0": true, "v1.20.300": true, "v1.0.0-rc.1": true, "v0.0.0-20261127185246-012345678901": true,
		"1.0.0": false, "1.0": false, "v1.0": false, "v1.0.0.0": false, "v01.0.0": false, "v1.0.0-01": false,
		"v1.0.0-": false, "v1.0.0+a": false,
		"v1.0.0 ": false, "v1.0.0\n": false, "v1.0.0/..": false, "latest": false,
	} {
		if r, err := findRelease(t.Context(), version); (err == nil) != valid || valid && r.version != version {
			t.Errorf("%q: got %v, %v, want valid: %v", version, r, err, valid)
		}
	}
}

// Without this test, a build between releases could pass as one, or sort after the
// next.
func TestDescribe(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.test"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=1700000000 +0000", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	want := func(what, pattern string) {
		t.Helper()
		r, err := findRelease(t.Context(), "")
		if ok, _ := filepath.Match(pattern, r.version); err != nil || !ok || !semver.MatchString(r.version) {
			t.Errorf("%s: got %s, %v, want %s", what, r.version, err, pattern)
		}
		if err == nil && !r.time.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s: got the time %s", what, r.time)
		}
	}
	t.Chdir(dir)
	t.Setenv("SOURCE_DATE_EPOCH", "")
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if _, err := findRelease(t.Context(), ""); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("no git: got %v, want one line", err)
	}
	run("init", "-q")
	if err := os.WriteFile("a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run("add", "a")
	run("commit", "-q", "-m", "a")
	want("no tag", "v0.0.0-20231114221320-????????????")
	run("tag", "other")
	want("a tag that is no version", "v0.0.0-20231114221320-????????????")
	run("tag", "v0.1.0")
	want("a tag", "v0.1.0")
	if err := os.WriteFile("a", []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("changed since", "v0.1.0-dirty")
	run("commit", "-q", "-a", "-m", "b")
	want("after a tag", "v0.0.0-20231114221320-????????????")
}

// Without this test, the manifest could name archives that do not exist. The test uses
// the project's own manifest, so that its format always stays readable for the parser.
func TestManifest(t *testing.T) {
	source, err := os.ReadFile("../../plugins/krew.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseManifest(string(source), "v9.8.7", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.platforms) != 6 {
		t.Errorf("got %d platforms, want 6", len(m.platforms))
	}
	p := m.platforms[5]
	if want := (platform{
		"windows", "arm64", "https://tenama.dev/releases/v9.8.7/kubectl-tenama_v9.8.7_windows_arm64.zip",
		"kubectl-tenama_v9.8.7_windows_arm64.zip", "kubectl-tenama.exe", "",
	}); p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	if out := m.render(); strings.Contains(out, "v0.1.0") || strings.Contains(out, "#") ||
		!strings.HasPrefix(out, "apiVersion:") {
		t.Errorf("got %s", out)
	}
	m, err = parseManifest(string(source), "v9.8.7", "https://example.test/files/")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.platforms[0].uri,
		"https://example.test/files/kubectl-tenama_v9.8.7_linux_amd64.tar.gz"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := m.restrict("plan9/amd64"); err == nil {
		t.Error("a platform without an archive: not noticed")
	}
	if err := m.restrict("windows/arm64,linux/arm64,windows/arm64"); err != nil || len(m.platforms) != 2 {
		t.Errorf("two platforms: %v, %v", m.platforms, err)
	}
	if arches := m.arches(); len(arches) != 1 || arches[0] != "arm64" {
		t.Errorf("the image would be for %v", arches)
	}
	for what, broken := range map[string]string{
		"no version":    strings.Replace(string(source), "version: v", "version: ", 1),
		"a real sha256": strings.Replace(string(source), `"0000`, `"1234`, 1),
		"a key more": strings.Replace(string(source), "    bin: kubectl-tenama\n",
			"    bin: kubectl-tenama\n    files: []\n", 1),
	} {
		if _, err := parseManifest(broken, "v1.0.0", ""); err == nil {
			t.Errorf("%s: not noticed", what)
		}
	}
}
