// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubeconfig

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unprivileged is the user and group that TestOtherGroup and TestCheck run as.
const unprivileged = 65534

// otherUser returns a directory, and a kubeconfig in it, that an unprivileged user owns.
func otherUser(t *testing.T, content string) (dir, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("requires root, to become another user")
	}
	dir = t.TempDir()
	for up := filepath.Dir(dir); up != filepath.Dir(up); up = filepath.Dir(up) { // the user has to get there
		if info, err := os.Stat(up); err == nil && info.Mode().Perm()&0o001 == 0 {
			if err := os.Chmod(up, info.Mode()|0o011); err != nil {
				t.Fatal(err)
			}
		}
	}
	path = filepath.Join(dir, "config")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, path} {
		if err := os.Chown(name, unprivileged, unprivileged); err != nil {
			t.Fatal(err)
		}
	}
	return dir, path
}

// TestOtherGroup verifies that a file is written where its group, or its owner, cannot be
// given to a new file: kubectl writes such a file, and it is the user's after
// "sudo cp k3s.yaml ~/.kube/config; sudo chown $USER ~/.kube/config".
func TestOtherGroup(t *testing.T) {
	for name, c := range map[string]struct {
		uid, gid int
		mode     os.FileMode
	}{
		"a group that the user is not in":       {unprivileged, 0, 0o600},
		"a file of root, writable by the group": {0, unprivileged, 0o660},
	} {
		t.Run(name, func(t *testing.T) {
			_, path := otherUser(t, ordinary)
			if err := os.Chown(path, c.uid, c.gid); err != nil {
				t.Fatal(err)
			}
			os.Chmod(path, c.mode)
			for _, env := range []string{"TEST_CHECK=1", "TEST_CHECK="} {
				if out, err := process(path, "tmp-a", "TEST_UID=65534", env).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", env, err, out)
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			if int(st.Uid) != c.uid || int(st.Gid) != c.gid || info.Mode().Perm() != c.mode {
				t.Errorf("got owner %d:%d, mode %v", st.Uid, st.Gid, info.Mode())
			}
			if text := read1(t, path); !strings.Contains(text, "tmp-a") || !strings.Contains(text, "# where I work") {
				t.Errorf("it was not written:\n%s", text)
			}
			if left, _ := filepath.Glob(filepath.Dir(path) + "/.*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestHardLinks verifies that all names of a file still mean the same file.
func TestHardLinks(t *testing.T) {
	files, path := use(t, ordinary)
	other := path + ".other"
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	if text := read1(t, other); text != read1(t, path) || !strings.Contains(text, "tmp-a") {
		t.Errorf("the other name has:\n%s", text)
	}
	if _, _, err := files.Remove(t.Context(), all); err != nil || read1(t, other) != ordinary {
		t.Errorf("after the removal (%v) it has:\n%s", err, read1(t, other))
	}
}

// TestOverwriteFails verifies that a file written in place has its old content after a write
// that failed in the middle.
func TestOverwriteFails(t *testing.T) {
	_, path := use(t, ordinary)
	out, err := process(path, "", "TEST_FILE_SIZE=1000", "TEST_OVERWRITE="+strings.Repeat("x", 2000)).CombinedOutput()
	if err == nil {
		t.Error("the write did not fail")
	}
	if read1(t, path) != ordinary {
		t.Errorf("%s: the file has:\n%s", out, read1(t, path))
	}
}

// TestCheck verifies that what cannot be written is found without writing: a namespace that
// was created in vain is left behind.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir, path string)
		env     string
		want    string // empty: it can be written
	}{
		"a file of the user": {},
		"no file":            {prepare: func(_ *testing.T, _, path string) { os.Remove(path) }},
		"a read-only file":   {prepare: func(_ *testing.T, _, path string) { os.Chmod(path, 0o400) }, want: "read-only"},
		"a file of root": {prepare: func(_ *testing.T, _, path string) { os.Chown(path, 0, 0) },
			want: "permission denied"},
		"a directory of root": {prepare: func(_ *testing.T, dir, _ string) { os.Chown(dir, 0, 0) },
			want: "permission denied"},
		"a file that cannot be parsed": {prepare: func(_ *testing.T, _, path string) {
			os.WriteFile(path, []byte("contexts: ["), 0o600)
		}, want: "parse kubeconfig"},
		"no room": {env: "TEST_FILE_SIZE=700", want: "file too large"},
		"a link into another directory of the user's": {prepare: func(t *testing.T, dir, path string) {
			os.Mkdir(dir+"/dotfiles", 0o700)
			os.Chown(dir+"/dotfiles", unprivileged, unprivileged)
			os.Rename(path, dir+"/dotfiles/config")
			os.Symlink("dotfiles/config", path)
		}},
		"a link into a directory of root": {prepare: func(t *testing.T, dir, path string) {
			os.Mkdir(dir+"/dotfiles", 0o755)
			os.Rename(path, dir+"/dotfiles/config")
			os.Symlink("dotfiles/config", path)
		}, want: "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := otherUser(t, ordinary)
			if c.prepare != nil {
				c.prepare(t, dir, path)
			}
			before, _ := os.ReadFile(path)
			out, err := process(path, "tmp-a", "TEST_UID=65534", "TEST_CHECK=1", c.env).CombinedOutput()
			if (err != nil) != (c.want != "") || !strings.Contains(string(out), c.want) {
				t.Errorf("got %v: %s, want %q", err, out, c.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file changed")
			}
			if left, _ := filepath.Glob(dir + "/.*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			// What Check says has to be what a change meets.
			if out, err := process(path, "tmp-a", "TEST_UID=65534", c.env).CombinedOutput(); (err != nil) != (c.want != "") {
				t.Errorf("a change: %v: %s", err, out)
			}
		})
	}
	t.Run("a missing directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "new", ".kube", "config")
		if err := Find(path).Check(t.Context()); err != nil {
			t.Error(err)
		}
		if h := Find(path).Health(); h[0].Unwritable != nil {
			t.Error(h[0].Unwritable)
		}
		if _, err := os.Stat(filepath.Dir(filepath.Dir(path))); err == nil {
			t.Error("it was made")
		}
	})
	t.Run("a lock that stays", func(t *testing.T) {
		files, path := use(t, ordinary)
		os.WriteFile(path+".lock", nil, 0)
		begun := time.Now()
		if err := files.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "another program has held") {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
}
