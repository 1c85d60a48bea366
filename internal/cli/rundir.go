// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
)

// The directory in which a command finds its kubeconfig: its name begins with runDir,
// and whoever made it holds a lock on a file in it as long as they live.
const (
	runDir  = "tenama-run-"
	runLock = ".tenama-run.lock"
	runFile = "config"
	runAuth = "token"
)

// ownDir makes such a directory, which nobody else can enter (0700); release removes it.
func ownDir() (dir string, release func(), err error) {
	if dir, err = os.MkdirTemp("", runDir); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, runLock), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err == nil && !flock(lock) {
		err = os.ErrExist
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, func() { lock.Close(); empty(dir) }, nil
}

// sweep removes what plugins that were killed left behind: tokens, of namespaces that
// are gone by now, or soon. A directory without a lock file is not ours, and one whose
// lock is held is in use.
func sweep() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), runDir+"*", runLock))
	for _, name := range locks {
		lock, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		free := flock(lock)
		lock.Close()
		if free {
			empty(filepath.Dir(name))
		}
	}
}

// empty removes the files that run makes, and the directory if nothing else is in it.
func empty(dir string) {
	for _, name := range []string{runAuth, runAuth + ".new", runFile, runLock} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	_ = os.Remove(dir)
}
