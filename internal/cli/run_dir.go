// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"

	"tenama.dev/tenama/pkg/client/kubeconfig"
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
// are gone by now, or soon. In a directory that all can write to, anybody can put
// something under that name: a link to where somebody keeps a kubeconfig, for one. So
// it is opened once, and must be the caller's own, hold a lock file, and nobody the lock.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), runDir+"*"))
	for _, dir := range left {
		if abandoned(dir) {
			empty(dir)
		}
	}
}

func abandoned(dir string) bool {
	info, err := os.Lstat(dir) // of the caller, in a sticky directory, nobody else can replace it
	if err != nil || !info.IsDir() || !kubeconfig.Mine(info) {
		return false
	}
	lock, err := os.OpenFile(filepath.Join(dir, runLock), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return flock(lock)
}

// empty removes the files that run makes, and the directory if nothing else is in it.
func empty(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	if info, err := root.Stat("."); err != nil || !kubeconfig.Mine(info) {
		return
	}
	for _, name := range []string{runAuth, runAuth + ".new", runFile, runLock} {
		_ = root.Remove(name)
	}
	_ = os.Remove(dir)
}
