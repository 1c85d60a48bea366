// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// flock locks an open file without blocking and reports whether it succeeded. The system
// releases the lock when the process ends.
func flock(f *os.File) bool {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)) == nil
}

// removeFiles removes files of a directory. The directory for temporary files is the user's own
// on Windows.
func removeFiles(dir string, names []string) {
	for _, name := range names {
		_ = os.Remove(filepath.Join(dir, name))
	}
}

// foreground returns true: a console sends Ctrl-C to all of its processes.
func foreground() bool { return true }

func hasTerminal() bool { return true }

// isolate does nothing: the command has to get Ctrl-C from the console.
func isolate(*exec.Cmd, bool) {}

func signalChild(cmd *exec.Cmd, s os.Signal, _ bool) { _ = cmd.Process.Signal(s) }
