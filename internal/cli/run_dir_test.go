// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// sweep removes the leftovers of a killed run, but no directory that is in use, belongs
// to another user or is reached through a link, which could lead to a kubeconfig.
func TestSweep(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is open cannot be removed there")
	}
	t.Setenv("TMPDIR", t.TempDir())
	dir := func(name string, files ...string) string {
		t.Helper()
		path := filepath.Join(os.TempDir(), name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(path, f), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	there := func(parts ...string) bool { _, err := os.Lstat(filepath.Join(parts...)); return err == nil }

	inUse, release, err := ownDir()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(inUse); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can enter it: %v, %v", info.Mode(), err)
	}
	left := dir(runDir+"left", runLock, runFile, runAuth, runAuth+".new")
	more := dir(runDir+"more", runLock, runAuth, "report.txt")
	foreign := dir(runDir+"42-logs", runFile, "log.txt")
	kube := dir("kube", runFile, runLock)
	if err := os.Symlink(kube, filepath.Join(os.TempDir(), runDir+"link")); err != nil {
		t.Fatal(err)
	}
	others := ""
	if os.Geteuid() == 0 {
		others = dir(runDir+"others", runLock, runFile)
		if err := os.Chown(others, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	if there(left) {
		t.Error("what a killed run left is still there")
	}
	if !there(more, "report.txt") || there(more, runAuth) {
		t.Error("of a directory with something else in it our files go, and the rest stays")
	}
	for what, path := range map[string]string{
		"a directory that is in use": filepath.Join(inUse, runLock), "somebody's directory of such a name": filepath.Join(foreign, runFile),
		"a kubeconfig behind a link": filepath.Join(kube, runFile),
	} {
		if !there(path) {
			t.Errorf("%s is gone", what)
		}
	}
	if others != "" && !there(others, runFile) {
		t.Error("a directory of another user was emptied")
	}
	release()
	if there(inUse) {
		t.Error("its own directory stays")
	}
}
