// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusals verifies that a file that must not be written is unchanged, and that the
// error gives the reason.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		prepare func(t *testing.T, path string)
		want    string
	}{
		"unparsable":    {"contexts: [", nil, "parse kubeconfig"},
		"two documents": {ordinary + "---\nkind: Config\n", nil, "more than one YAML document"},
		"read-only":     {ordinary, func(t *testing.T, path string) { os.Chmod(path, 0o400) }, "read-only"},
		"a directory": {"", func(t *testing.T, path string) {
			os.Remove(path)
			os.Mkdir(path, 0o700)
		}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			files, path := use(t, c.content)
			if c.prepare != nil {
				c.prepare(t, path)
			}
			before, _ := os.ReadFile(path)
			_, err := files.Add(t.Context(), entry("tmp-a"), true)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file changed")
			}
			if left, _ := filepath.Glob(filepath.Dir(path) + "/.*tenama*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Stat(path + ".lock"); err == nil {
				t.Error("the lock is still there")
			}
		})
	}
}

// TestSymlinks verifies that a symbolic link to a kubeconfig (dotfiles) is preserved.
func TestSymlinks(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "dotfiles", "kubeconfig")
	os.Mkdir(filepath.Dir(target), 0o700)
	os.WriteFile(target, []byte(ordinary), 0o600)
	link := filepath.Join(dir, "config")
	if err := os.Symlink("dotfiles/kubeconfig", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(link).Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Lstat(link); err != nil || i.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", i, err)
	}
	if !strings.Contains(read1(t, target), "tmp-a") {
		t.Error("the target was not written")
	}
	os.Symlink("loop", filepath.Join(dir, "loop"))
	if _, err := Find(filepath.Join(dir, "loop")).Add(t.Context(), entry("tmp-a"), true); err == nil {
		t.Error("a link to itself was followed")
	}
	os.Symlink("chain2", filepath.Join(dir, "chain1"))
	os.Symlink("dotfiles/chained", filepath.Join(dir, "chain2"))
	if _, err := Find(filepath.Join(dir, "chain1")).Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Lstat(filepath.Join(dir, "chain2")); err != nil || i.Mode()&os.ModeSymlink == 0 ||
		!strings.Contains(read1(t, filepath.Join(dir, "dotfiles", "chained")), "tmp-a") {
		t.Error("a chain of links was broken")
	}
	dangling := filepath.Join(dir, "new")
	os.Symlink("dotfiles/new", dangling)
	if _, err := Find(dangling).Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read1(t, filepath.Join(dir, "dotfiles", "new")), "tmp-a") {
		t.Error("the target of the dangling link was not made")
	}
}

// TestSeveralFiles verifies that, with several files, an entry is added to the file
// that `kubectl config` would use, and is removed from any file.
func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	missing, first, second := filepath.Join(dir, "missing"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
	os.WriteFile(first, []byte("apiVersion: v1\nkind: Config\ncontexts: []\n"), 0o600)
	os.WriteFile(second, []byte(ordinary), 0o600)
	t.Setenv("KUBECONFIG", strings.Join([]string{"", missing, first, second}, string(os.PathListSeparator)))
	files := Find("")
	if got := files.Destination(); got != first {
		t.Fatalf("destination is %s, want %s", got, first)
	}
	if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	if read1(t, second) != ordinary {
		t.Error("a file that was not concerned changed")
	}
	m, _ := files.Load()
	if m.CurrentContext != "tenama-tmp-a" {
		t.Errorf("current is %q", m.CurrentContext)
	}
	_, r, err := files.Remove(t.Context(), all)
	if err != nil || r.Current != "prod" {
		t.Errorf("after removal current is %q, want prod again (%v)", r.Current, err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a missing file was made")
	}
	if l, _ := filepath.Glob(dir + "/*.lock"); len(l) > 0 {
		t.Errorf("locks left: %v", l)
	}
}
