// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tenama.dev/tenama/test/testenv"
)

func say(what string) { fmt.Printf("\n# %s\n", what) }

// shell runs commands as one user. After the first failed expectation it runs no more.
type shell struct {
	ctx        context.Context
	user       string
	kubeconfig string
	env        []string
	out        string
	found      []string
	err        error
}

// newShell returns a shell with a home of its own in dir and a copy of a kubeconfig.
func newShell(ctx context.Context, kubeconfig, dir, user string) (*shell, error) {
	home := filepath.Join(dir, user)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	s := &shell{ctx: ctx, user: user, kubeconfig: filepath.Join(home, "config")}
	s.env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "HOME="+home, "PATH="+testenv.Bin("")+":"+os.Getenv("PATH"))
	return s, os.WriteFile(s.kubeconfig, b, 0o600)
}

func (s *shell) exec(line string) error {
	cmd := exec.CommandContext(s.ctx, "sh", "-c", line)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	s.out = string(out)
	return err
}

func (s *shell) show(line string) {
	fmt.Printf("%s$ %s\n%s", s.user, line, s.out)
	if s.out != "" && !strings.HasSuffix(s.out, "\n") {
		fmt.Println()
	}
}

// run runs a command that must succeed and print the wanted output.
func (s *shell) run(line string, want ...string) { s.step(line, true, want) }

// fails runs a command that must fail and print the wanted output.
func (s *shell) fails(line string, want ...string) { s.step(line, false, want) }

func (s *shell) step(line string, succeed bool, want []string) {
	if s.err != nil {
		return
	}
	err := s.exec(line)
	s.show(line)
	if (err == nil) != succeed {
		s.err = fmt.Errorf("%q: %v", line, map[bool]string{true: fmt.Sprint(err), false: "it should have failed"}[succeed])
		return
	}
	s.found = nil
	for _, w := range want {
		found := regexp.MustCompile(w).FindStringSubmatch(s.out)
		if found == nil {
			s.err = fmt.Errorf("%q did not print %q", line, w)
			return
		}
		if s.found == nil {
			s.found = found
		}
	}
}

// match returns group i of the first pattern's match in the output of the last command.
func (s *shell) match(i int) string {
	if s.err != nil || i >= len(s.found) {
		return ""
	}
	return s.found[i]
}

// until repeats a command, shown once, until it prints the wanted output.
func (s *shell) until(d time.Duration, line, want string) {
	if s.err != nil {
		return
	}
	begun := time.Now()
	s.err = testenv.Eventually(d, func() error {
		_ = s.exec(line)
		if regexp.MustCompile(want).MatchString(s.out) {
			return nil
		}
		return fmt.Errorf("%q did not print %q within %s", line, want, d)
	})
	s.show(line)
	if s.err == nil {
		fmt.Printf("# after %.0f s\n", time.Since(begun).Seconds())
	}
}
