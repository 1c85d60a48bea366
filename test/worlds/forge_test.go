// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// forge serves git repositories over HTTP, and single files of them at the paths of GitLab.
type forge struct {
	URL string
	dir string
}

func startForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{dir: t.TempDir()}
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	repositories := &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env: append(gitEnv(), "GIT_PROJECT_ROOT="+f.dir, "GIT_HTTP_EXPORT_ALL=1")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		project, file, raw := strings.Cut(r.URL.Path, "/-/raw/")
		if !raw {
			repositories.ServeHTTP(w, r)
			return
		}
		ref, file, _ := strings.Cut(file, "/")
		b, err := git(filepath.Join(f.dir, filepath.FromSlash(project)+".git"), "show", ref+":"+file)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// gitEnv is an environment in which git does not depend on the machine.
func gitEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=alice", "GIT_AUTHOR_EMAIL=alice@example.test", "GIT_COMMITTER_NAME=alice",
		"GIT_COMMITTER_EMAIL=alice@example.test", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
		"GIT_CONFIG_VALUE_0=*", "TMPDIR=" + os.Getenv("TMPDIR")}
}

func git(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = gitEnv()
	return cmd.CombinedOutput()
}

func mustGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := git(dir, args...); err != nil {
		t.Fatalf("git %v: %s", args, out)
	}
}

// publish makes a directory the content of a project, with a tag.
func (f *forge) publish(t *testing.T, project string, content fs.FS, tag string) {
	t.Helper()
	work := t.TempDir()
	if err := os.CopyFS(work, content); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(f.dir, filepath.FromSlash(project)+".git")
	mustGit(t, work, "init", "-q", "-b", "main")
	mustGit(t, work, "add", "-A")
	mustGit(t, work, "commit", "-q", "-m", "content")
	mustGit(t, work, "tag", tag)
	mustGit(t, work, "clone", "-q", "--bare", ".", bare)
	mustGit(t, bare, "config", "uploadpack.allowFilter", "true")
}

// checkout is a clone of a project.
func (f *forge) checkout(t *testing.T, project string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checkout")
	mustGit(t, ".", "clone", "-q", f.URL+"/"+project+".git", dir)
	return dir
}

// commit changes a project on its branch main.
func (f *forge) commit(t *testing.T, project string, change func(dir string)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	bare := filepath.Join(f.dir, filepath.FromSlash(project)+".git")
	mustGit(t, ".", "clone", "-q", bare, dir)
	change(dir)
	mustGit(t, dir, "add", "-A")
	mustGit(t, dir, "commit", "-q", "-m", "change")
	mustGit(t, dir, "push", "-q", "origin", "HEAD:main")
}
