// SPDX-License-Identifier: Apache-2.0

package krew

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// user is a user with kubectl, krew and git, an empty home directory, and no network
// except this machine.
type user struct {
	dir  string
	path string
	env  []string
}

func newUser(t *testing.T, env ...string) *user {
	t.Helper()
	dir := t.TempDir()
	u := &user{dir: dir}
	for _, d := range []string{"bin", "home", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"kubectl": "bin/kubectl", "kubectl-krew": "bin/tools/krew",
		"validate-krew-manifest": "bin/tools/validate-krew-manifest",
	} {
		target = filepath.Join(root(t), target)
		if _, err := os.Stat(target); err != nil {
			t.Fatalf("%v: run make krew", err)
		}
		if err := os.Symlink(target, filepath.Join(dir, "bin", link)); err != nil {
			t.Fatal(err)
		}
	}
	u.path = u.krew("bin") + ":" + filepath.Join(dir, "bin") + ":" + filepath.Dir(git) + ":/usr/bin:/bin"
	u.env = append([]string{
		"PATH=" + u.path, "HOME=" + filepath.Join(dir, "home"), "TMPDIR=" + filepath.Join(dir, "tmp"),
		"KREW_ROOT=" + u.krew(), "KREW_NO_UPGRADE_CHECK=1", "GIT_CONFIG_NOSYSTEM=1",
		// No proxy listens there; connections to this machine bypass it.
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1",
	}, env...)
	return u
}

// krew returns a path in krew's own directory.
func (u *user) krew(elem ...string) string {
	return filepath.Join(append([]string{u.dir, "krew"}, elem...)...)
}

// try runs a command as the user.
func (u *user) try(name string, args ...string) (string, error) {
	if bin := filepath.Join(u.dir, "bin", name); name != "git" {
		name = bin
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = u.dir, u.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u *user) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := u.try(name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// write writes a file into the user's directory.
func (u *user) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(u.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// files returns all files below dir that are not directories.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
