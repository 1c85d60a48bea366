// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// An interrupted make target must leave neither a process nor a file behind: leftover
// control planes would fill the machine of a developer who runs tests in a loop.
func TestInterruptedTargets(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		until  string // its output when it is interrupted
		signal syscall.Signal
	}{
		"demo, Ctrl-C":     {[]string{"demo"}, "ready at ", syscall.SIGINT},
		"demo, terminated": {[]string{"demo"}, "Alice may not create", syscall.SIGTERM},
		"tests, Ctrl-C":    {[]string{"e2e", "ARGS=-v -run=^TestGarbageCollector$"}, "control plane ready", syscall.SIGINT},
		"tests, terminated": {
			[]string{"e2e", "ARGS=-v -run=^TestGarbageCollector$"}, "RUN   TestGarbageCollector", syscall.SIGTERM,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tmp, err := os.MkdirTemp("/tmp", "ti") // short: the path of a unix socket has at most 108 bytes
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(tmp) })
			cmd := exec.Command("make", c.args...)
			cmd.Dir = testenv.Root()
			cmd.Env = append(withoutMake(os.Environ()), "TMPDIR="+tmp)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // like a terminal: a signal reaches the whole group
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = cmd.Stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said, lines := "", bufio.NewScanner(out)
			for lines.Scan() {
				if said += lines.Text() + "\n"; strings.Contains(lines.Text(), c.until) {
					break
				}
			}
			if err := syscall.Kill(-cmd.Process.Pid, c.signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(out)
			if err := cmd.Wait(); err == nil || !strings.Contains(said, c.until) {
				t.Errorf("the target ended before it was interrupted (%v):\n%s%s", err, said, rest)
			}
			if strings.Contains(string(rest), "left running") {
				t.Errorf("a process did not end by itself:\n%s", rest)
			}
			gone := func() error {
				if files, _ := filepath.Glob(filepath.Join(tmp, "*")); len(files) > 0 {
					return errOf(strings.Join(files, ", ") + " stay")
				}
				if running := inDirectory(tmp); running != "" {
					return errOf("still running: " + running)
				}
				return nil
			}
			if err := testenv.Eventually(time.Minute, gone); err != nil {
				t.Error(err)
			}
		})
	}
}

// withoutMake returns env without the variables that make sets for its children.
func withoutMake(env []string) (out []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS") && !strings.HasPrefix(v, "TMPDIR=") &&
			!strings.HasPrefix(v, "KUBERNETES=") {
			out = append(out, v)
		}
	}
	return out
}

// inDirectory returns the processes whose temporary directory is in dir.
func inDirectory(dir string) string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range all {
		if env, err := os.ReadFile(file); err == nil && bytes.Contains(env, []byte("TMPDIR="+dir)) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return strings.Join(found, "; ")
}
