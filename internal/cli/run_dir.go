// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"

	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// The kubeconfig of a child process is in a directory whose name begins with runDir.
// Its creator holds a lock on a file in it for as long as it lives.
const (
	runDirPrefix  = "tenama-run-"
	runLockFile   = ".tenama-run.lock"
	runConfigFile = "config"
	runTokenFile  = "token"
	runExpiryFile = "expires-at"
)

// createRunDir creates such a directory with mode 0700; release removes it.
func createRunDir() (dir string, release func(), err error) {
	if dir, err = os.MkdirTemp("", runDirPrefix); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, runLockFile), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err == nil && !flock(lock) {
		err = os.ErrExist
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, func() { lock.Close(); removeRunDir(dir) }, nil
}

// removeAbandonedRunDirs removes the directories of killed plugins: they hold tokens of namespaces that
// are gone, or soon will be. In a world-writable directory any user can create such a
// name, for example as a link to another user's kubeconfig directory. So each is opened
// only once, and must be owned by the caller and contain a lock file that no process
// has locked.
func removeAbandonedRunDirs() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), runDirPrefix+"*"))
	for _, dir := range left {
		if isAbandoned(dir) {
			removeRunDir(dir)
		}
	}
}

func isAbandoned(dir string) bool {
	// In a sticky directory, other users cannot replace the caller's own directory.
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !kubeconfig.OwnedByCaller(info) {
		return false
	}
	lock, err := os.OpenFile(filepath.Join(dir, runLockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return flock(lock)
}

// removeRunDir removes the files created by run, and the directory if it holds no others.
func removeRunDir(dir string) {
	removeFiles(dir, []string{
		runTokenFile, runTokenFile + ".new", runExpiryFile, runExpiryFile + ".new", runConfigFile, runBashFile, runZshFile,
		runZshEnvFile, runLockFile,
	})
	_ = os.Remove(dir)
}
