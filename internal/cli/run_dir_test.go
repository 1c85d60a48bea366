// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRemoveAbandonedRunDirs verifies that the leftovers of a killed run are removed, but
// no directory that is in use, belongs to another user or is reached through a link,
// which could lead to a kubeconfig.
func TestRemoveAbandonedRunDirs(t *testing.T) {
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

	inUse, release, err := createRunDir()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(inUse); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can enter it: %v, %v", info.Mode(), err)
	}
	left := dir(runDirPrefix+"left", runLockFile, runConfigFile, runTokenFile, runTokenFile+".new")
	more := dir(runDirPrefix+"more", runLockFile, runTokenFile, "report.txt")
	foreign := dir(runDirPrefix+"42-logs", runConfigFile, "log.txt")
	kube := dir("kube", runConfigFile, runLockFile)
	if err := os.Symlink(kube, filepath.Join(os.TempDir(), runDirPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	others := ""
	if os.Geteuid() == 0 {
		others = dir(runDirPrefix+"others", runLockFile, runConfigFile)
		if err := os.Chown(others, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	removeAbandonedRunDirs()
	if there(left) {
		t.Error("what a killed run left is still there")
	}
	if !there(more, "report.txt") || there(more, runTokenFile) {
		t.Error("of a directory with something else in it our files go, and the rest stays")
	}
	for what, path := range map[string]string{
		"a directory that is in use":              filepath.Join(inUse, runLockFile),
		"another user's directory of such a name": filepath.Join(foreign, runConfigFile),
		"a kubeconfig behind a link":              filepath.Join(kube, runConfigFile),
	} {
		if !there(path) {
			t.Errorf("%s is gone", what)
		}
	}
	if others != "" && !there(others, runConfigFile) {
		t.Error("a directory of another user was emptied")
	}
	release()
	if there(inUse) {
		t.Error("its own directory stays")
	}
}
