// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// github is a GitHub that gives ID tokens to the jobs of a repository, which act runs on this
// machine.
type github struct {
	tokens *httptest.Server
	issued atomic.Int64
	left   atomic.Int64 // tokens that it still gives; below 0: no limit
	home   string
	claims map[string]any
}

func newGitHub(t *testing.T) *github {
	t.Helper()
	out, err := exec.Command(testenv.Bin("tools/act"), "--version").Output()
	if err != nil {
		t.Fatalf("act (make worlds builds it): %v", err)
	}
	fmt.Printf("%s\n", bytes.TrimSpace(out))
	g := &github{home: t.TempDir(), claims: map[string]any{"repository": "acme/shop", "repository_id": "987",
		"repository_owner_id": "1234567", "ref": "refs/pull/5/merge", "ref_protected": "false",
		"event_name": "pull_request", "run_id": "1"}}
	g.left.Store(-1)
	g.tokens = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-the-job" || r.URL.Query().Get("api-version") != "2.0" {
			http.Error(w, "who is this?", http.StatusUnauthorized)
			return
		}
		switch left := g.left.Load(); {
		case left == 0:
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		case left > 0:
			g.left.Add(-1)
		}
		claims := maps.Clone(g.claims)
		claims["aud"] = r.URL.Query().Get("audience")
		token, err := shared.github.Token(claims)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		g.issued.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]string{"value": token})
	}))
	t.Cleanup(g.tokens.Close)
	return g
}

// repository is a checkout of examples/github whose workflow is changed by edit.
func (g *github) repository(t *testing.T, oldnew ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(testenv.Root(), "examples", "github"))); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, ".github", "workflows", "e2e.yml"), oldnew...)
	mustGit(t, dir, "init", "-q", "-b", "main")
	mustGit(t, dir, "remote", "add", "origin", "https://github.com/acme/shop.git")
	mustGit(t, dir, "add", "-A")
	mustGit(t, dir, "commit", "-q", "-m", "content")
	return dir
}

// command is act, which runs the workflow of a checkout for a pull request.
func (g *github) command(t *testing.T, checkout string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Bin("tools/act"), append([]string{"pull_request",
		"-P", "ubuntu-latest=-self-hosted", "--container-daemon-socket=-", "--no-cache-server",
		"--local-repository", "acme/tenama-action@v1=" + filepath.Join(testenv.Root(), "integrations", "github"),
		"--env", "ACTIONS_ID_TOKEN_REQUEST_URL=" + g.tokens.URL + "/token?api-version=2.0",
		"--env", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job", "--env", "GITHUB_REPOSITORY_ID=987",
		"--var", "K8S_SERVER=" + shared.Server, "--var", "K8S_CA=" + shared.ca}, args...)...)
	cmd.Dir = checkout
	cmd.Env = append(gitEnv(), "PATH="+testenv.Bin("")+":"+os.Getenv("PATH"), "HOME="+g.home,
		"XDG_CACHE_HOME="+filepath.Join(g.home, "cache"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

var lent = regexp.MustCompile(`(?:tmp|cust)-gh-1-[0-9a-f]{8}`)

// The workflow that the docs show, and those of this project, must be what GitHub accepts.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(testenv.Root(), ".github", "workflows", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no workflows", err)
	}
	files = append(files, filepath.Join(testenv.Root(), "examples", "github", ".github", "workflows", "e2e.yml"))
	lint := func(files ...string) string {
		out, err := exec.Command(testenv.Bin("tools/actionlint"), append([]string{"-shellcheck=", "-no-color"},
			files...)...).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: it found something
			t.Fatalf("%v: %s (make worlds builds it)", err, out)
		}
		return string(out)
	}
	if out := lint(files...); out != "" {
		t.Errorf("actionlint: %s", out)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.yml")
	workflow := read(t, files[len(files)-1])
	write(t, filepath.Dir(wrong), "wrong.yml", strings.ReplaceAll(workflow, "steps.lent", "steps.bent"))
	if out := lint(wrong); !strings.Contains(out, `property "bent" is not defined`) {
		t.Errorf("actionlint does not find what is wrong: %s", out)
	}
}

// A job has a namespace of its own, which goes with the job, however that ends.
func TestGitHub(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	run := func(t *testing.T, dir string, succeeds bool, args ...string) string {
		t.Helper()
		b, err := g.command(t, dir, args...).CombinedOutput()
		if (err == nil) != succeeds {
			t.Fatalf("act: %v\n%s", err, b)
		}
		if strings.Contains(string(b), "eyJ") {
			t.Errorf("the log shows a token:\n%s", b)
		}
		return string(b)
	}
	t.Run("success", func(t *testing.T) {
		before := g.issued.Load()
		out := run(t, g.repository(t), true)
		name := lent.FindString(out)
		if name == "" || !strings.Contains(out, "Testing in "+name) || !strings.Contains(out, "deployment.apps/web created") {
			t.Fatalf("the job has no namespace:\n%s", out)
		}
		gone(t, name)
		if n := g.issued.Load() - before; n != 2 { // the first one is valid for five minutes only
			t.Errorf("%d ID tokens, want one for each step", n)
		}
	})
	t.Run("a class with another prefix", func(t *testing.T) {
		out := run(t, g.repository(t, "ttl: 90m", "ttl: 90m\n        class: freemium"), true)
		name := lent.FindString(out)
		if !strings.HasPrefix(name, "cust-") {
			t.Fatalf("the job has no namespace of the class:\n%s", out)
		}
		gone(t, name)
	})
	t.Run("no token for the deletion", func(t *testing.T) {
		g.left.Store(1)
		defer g.left.Store(-1)
		out := run(t, g.repository(t), true)
		if !strings.Contains(out, "GitHub gives no ID token: 503") {
			t.Errorf("the log does not say that the namespace remains:\n%s", out)
		}
		admin(t, "delete", "tns", lent.FindString(out))
	})
	t.Run("failure", func(t *testing.T) {
		out := run(t, g.repository(t, "kubectl get deployment web", "false"), false)
		name := lent.FindString(out)
		if name == "" {
			t.Fatalf("no namespace:\n%s", out)
		}
		gone(t, name)
	})
	t.Run("cancelled", func(t *testing.T) {
		cmd := g.command(t, g.repository(t, "kubectl get deployment web", "sleep 300"))
		log := filepath.Join(t.TempDir(), "log")
		f, err := os.Create(log)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.Stdout, cmd.Stderr = f, f
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := testenv.Eventually(2*time.Minute, func() error {
			if !strings.Contains(read(t, log), "Testing in tmp-gh-") {
				return errors.New("the job does not get so far")
			}
			return nil
		}); err != nil {
			_ = cmd.Cancel()
			t.Fatalf("%v\n%s", err, read(t, log))
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		gone(t, lent.FindString(read(t, log)))
		if t.Failed() {
			t.Log(read(t, log))
		}
	})
	t.Run("kept for other jobs", func(t *testing.T) {
		dir := g.repository(t, "ttl: 90m", "ttl: 90m\n        name: Feature/ABC-1\n        keep: true")
		run(t, dir, true)
		run(t, dir, true)
		names := admin(t, "get", "tns", "-l", "github/repository=987", "-o", "jsonpath={.items[*].metadata.name}")
		if !regexp.MustCompile(`^tmp-feature-abc-1-[0-9a-f]{6}$`).MatchString(names) {
			t.Errorf("the namespaces are %q", names)
		}
	})
	t.Run("a foreign namespace of that name", func(t *testing.T) {
		if out, err := shared.Kubectl("alice", "tenama", "create", "of-alice", "--switch-context=false"); err != nil {
			t.Fatal(out)
		}
		out := run(t, g.repository(t, "ttl: 90m", "ttl: 90m\n        name: of-alice"), false)
		if !strings.Contains(out, "belongs to another owner") {
			t.Errorf("the reason is missing:\n%s", out)
		}
		if got := admin(t, "get", "ns", "tmp-of-alice", "-o", "jsonpath={.status.phase}"); got != "Active" {
			t.Errorf("the namespace is %s", got)
		}
	})
	t.Run("no permission for an ID token", func(t *testing.T) {
		out := run(t, g.repository(t), false, "--env", "ACTIONS_ID_TOKEN_REQUEST_URL=")
		if !strings.Contains(out, "set permissions: {id-token: write}") {
			t.Errorf("the remedy is missing:\n%s", out)
		}
	})
	// act removes the temporary directory of the runner itself, so not with act.
	t.Run("files", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "tenama-x")
		if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("node", filepath.Join(testenv.Root(), "integrations", "github", "post.js"))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "STATE_dir=" + dir}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s", out)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the credential is still there: %v", err)
		}
	})
	t.Run("installation", func(t *testing.T) { g.installation(t, run) })
}

// installation tests the inputs version and sha256 with an archive as releases have it.
func (g *github) installation(t *testing.T, run func(*testing.T, string, bool, ...string) string) {
	dir := t.TempDir()
	archive := filepath.Join(dir, fmt.Sprintf("kubectl-tenama_v0.1.0_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH))
	tar := exec.Command("tar", "-czf", archive, "-C", testenv.Bin(""), "kubectl-tenama")
	if out, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	releases := httptest.NewServer(http.StripPrefix("/v0.1.0/", http.FileServer(http.Dir(dir))))
	defer releases.Close()
	checkout := g.repository(t, "ttl: 90m", "ttl: 90m\n        releases: "+releases.URL)
	with := func(version, sum string) []string {
		return []string{"--var", "TENAMA_VERSION=" + version, "--var", "TENAMA_SHA256=" + sum}
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, archive))))
	if out := run(t, checkout, true, with("v0.1.0", sum)...); !strings.Contains(out, "Testing in tmp-gh-1-") {
		t.Errorf("with the right checksum:\n%s", out)
	}
	for want, args := range map[string][]string{
		"it is not installed":       with("v0.1.0", strings.Repeat("0", 64)),
		"404 Not Found":             with("v0.2.0", sum),
		"sha256 is missing":         with("v0.1.0", ""),
		`version "../x" is not one`: with("../x", sum),
	} {
		if out := run(t, checkout, false, args...); !strings.Contains(out, want) {
			t.Errorf("the log has no %q:\n%s", want, out)
		}
	}
}
