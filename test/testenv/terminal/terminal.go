// SPDX-License-Identifier: Apache-2.0

// Package terminal runs programs on a pseudo-terminal and records their output, for
// tests and for the screenshots of the documentation.
package terminal

import (
	"os"
	"os/exec"
	"sync"

	"github.com/creack/pty"
)

// Session is a command that runs on a pseudo-terminal.
type Session struct {
	cmd  *exec.Cmd
	tty  *os.File
	done chan struct{}

	mu     sync.Mutex // guards output
	output []byte
}

// Start starts a command on a new pseudo-terminal of the given size.
func Start(cmd *exec.Cmd, rows, cols int) (*Session, error) {
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)})
	if err != nil {
		return nil, err
	}
	s := &Session{cmd: cmd, tty: tty, done: make(chan struct{})}
	go s.read()
	return s, nil
}

func (s *Session) read() {
	b := make([]byte, 4096)
	for {
		n, err := s.tty.Read(b)
		s.mu.Lock()
		s.output = append(s.output, b[:n]...)
		s.mu.Unlock()
		if err != nil { // EIO: no process has the terminal open any more
			break
		}
	}
	_ = s.cmd.Wait()
	_ = s.tty.Close()
	close(s.done)
}

// Output returns the bytes that the command has written so far.
func (s *Session) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.output)
}

// Send types keys.
func (s *Session) Send(keys string) error {
	_, err := s.tty.WriteString(keys)
	return err
}

// Done returns a channel that is closed once the command has ended and its output is
// complete.
func (s *Session) Done() <-chan struct{} { return s.done }

// ExitCode returns the exit code of the command; call it only after Done is closed.
func (s *Session) ExitCode() int { return s.cmd.ProcessState.ExitCode() }

// Kill kills the command.
func (s *Session) Kill() error { return s.cmd.Process.Kill() }

// Close kills the command and closes its terminal, also for its children.
func (s *Session) Close() { _, _ = s.Kill(), s.tty.Close() }

// PID returns the process ID of the command, which is also that of its process group.
func (s *Session) PID() int { return s.cmd.Process.Pid }
