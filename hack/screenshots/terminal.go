// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tenama.dev/tenama/test/testenv"
	"tenama.dev/tenama/test/testenv/terminal"
)

// defaultWidth is the width of the longest line that create prints, with a day of the week in
// it.
const defaultWidth = 92

// userTerminal is the terminal of one user.
type userTerminal struct {
	env  []string
	home string
	cols int
	hide *strings.Replacer // replaces names of this machine with neutral ones
	sent []byte            // its output so far
}

// newTerminal creates a home with a kubeconfig for a user. The environment of its
// commands is the same on every machine.
func newTerminal(c *testenv.Cluster, dir, user string) (*userTerminal, error) {
	t := &userTerminal{home: filepath.Join(dir, user), cols: defaultWidth}
	config := filepath.Join(t.home, ".kube", "config")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(c.Kubeconfig(user))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, b, 0o600); err != nil {
		return nil, err
	}
	t.env = []string{
		"HOME=" + t.home, "PATH=" + testenv.Bin("") + ":/usr/bin:/bin", "TERM=xterm-256color", "LANG=C.UTF-8", "TZ=UTC",
	}
	t.hide = strings.NewReplacer(c.Server, "https://cluster.example.test", t.home, "~")
	return t, t.quietly("kubectl config rename-context test dev")
}

// quietly runs a command that no screenshot shows, and that must succeed.
func (t *userTerminal) quietly(line string) error {
	if out, err := t.shell(line).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, out)
	}
	return nil
}

func (t *userTerminal) shell(line string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", line)
	cmd.Env, cmd.Dir = t.env, t.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// prompt shows a command as if it were being typed.
func (t *userTerminal) prompt(line string) {
	lines := strings.Split(line, "\n")
	for i, l := range lines {
		sign := map[bool]string{true: "$", false: ">"}[i == 0]
		t.sent = fmt.Appendf(t.sent, "\x1b[2m%s\x1b[0m \x1b[1m%s\x1b[0m\r\n", sign, l)
	}
}

// run runs a command and waits for its end. Commands may fail: the required content of
// a screenshot is checked later.
func (t *userTerminal) run(ctx context.Context, line string) error {
	t.prompt(line)
	s, err := t.start(line)
	if err != nil {
		return err
	}
	select {
	case <-s.Done():
	case <-ctx.Done():
		s.interrupt()
		return ctx.Err()
	}
	t.sent = append(t.sent, s.output()...)
	return nil
}

// session is a command that runs in a terminal.
type session struct {
	*terminal.Session
	cols int
	hide *strings.Replacer
}

// start runs a command in a pseudo-terminal.
func (t *userTerminal) start(line string) (*session, error) {
	s, err := terminal.Start(t.shell(line), 40, t.cols)
	if err != nil {
		return nil, err
	}
	return &session{s, t.cols, t.hide}, nil
}

// output returns the output of the command so far. Names of this machine are replaced
// before the output is interpreted, so that lines break as they would with the new
// names.
func (s *session) output() []byte { return []byte(s.hide.Replace(s.Output())) }

// interrupt sends Ctrl-C, and kills a command that ignores it.
func (s *session) interrupt() {
	_ = s.Send("\x03")
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-s.PID(), syscall.SIGKILL)
		<-s.Done()
	}
}

// until waits until the output of a command is as wanted and has not changed for a
// moment, so that no screenshot shows a view that is still being drawn.
func (s *session) until(ctx context.Context, d time.Duration, wanted func(*screen) error) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	last := ""
	for {
		now := s.output()
		shown, err := interpret(now, s.cols)
		if err == nil {
			err = wanted(shown)
		}
		if err == nil && string(now) == last {
			return now, nil
		}
		last = string(now)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-s.Done():
			return nil, errors.New("the command has ended")
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %v", ctx.Err(), err)
		}
	}
}
