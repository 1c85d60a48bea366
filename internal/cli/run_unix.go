// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// flock locks an open file without blocking and reports whether it succeeded.
func flock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
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
