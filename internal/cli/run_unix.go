// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// flock locks an open file without blocking and reports whether it succeeded.
func flock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// removeFiles removes files of a directory that the caller owns. In a directory such as /tmp,
// other users could replace it by a link at any time, so it is opened once.
func removeFiles(dir string, names []string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	if info, err := root.Stat("."); err != nil || !kubeconfig.OwnedByCaller(info) {
		return
	}
	for _, name := range names {
		_ = root.Remove(name)
	}
}

// hasTerminal reports whether the process has a terminal that is still open.
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err == nil {
		tty.Close()
	}
	return err == nil
}

// isolate puts the command into a process group of its own, unless it shares that of the
// plugin.
func isolate(cmd *exec.Cmd, shared bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !shared}
	killWithParent(cmd.SysProcAttr)
}

// signalChild sends a signal to the command and, if it has a process group of its own, to all
// that it started.
func signalChild(cmd *exec.Cmd, s os.Signal, shared bool) {
	number, ok := s.(syscall.Signal)
	if shared || !ok {
		_ = cmd.Process.Signal(s)
		return
	}
	_ = syscall.Kill(-cmd.Process.Pid, number)
}

// foreground reports whether the terminal sends its signals to this process group.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == syscall.Getpgrp()
}
