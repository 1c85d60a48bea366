// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"fmt"
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

// An interrupted run must leave nothing behind: processes of a node that nothing manages
// any more would use up the machine of a developer. (A run that ends by itself checks this
// in onHost.) This runs a second node inside the namespaces of the first. What belongs to a
// namespace, as mounts and networks do, ends with its processes.
func TestInterrupted(t *testing.T) {
	Start(t)
	for name, c := range map[string]struct {
		signal syscall.Signal
		until  string // its output when it is interrupted
	}{
		"Ctrl-C":           {syscall.SIGINT, "the node is ready"},
		"Ctrl-C at once":   {syscall.SIGINT, "=== RUN"},
		"terminated":       {syscall.SIGTERM, "the node is ready"},
		"killed":           {syscall.SIGKILL, "the node is ready"},
		"killed beginning": {syscall.SIGKILL, "=== RUN"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestPods$", "-test.v")
			cmd.Env = append(withoutStage(os.Environ()), "TMPDIR="+dir)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
			group := descendants(cmd.Process.Pid)
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(out)
			if err := cmd.Wait(); err == nil || !strings.Contains(said, c.until) {
				t.Fatalf("it ended before it was interrupted (%v):\n%s%s", err, said, rest)
			}
			if err := testenv.Eventually(time.Minute, func() error { return alive(group) }); err != nil {
				t.Error(err)
			}
			if c.signal == syscall.SIGKILL {
				removeStaleCgroups() // as the next run does
			} else if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) > 0 {
				t.Errorf("files remain: %s", files)
			}
			found, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/%s%s-%d-*", cgroupPrefix, pidNamespace(), cmd.Process.Pid))
			if len(found) > 0 {
				t.Errorf("cgroups remain: %s", found)
			}
		})
	}
}

func withoutStage(env []string) (out []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, "TENAMA_NODE_") && !strings.HasPrefix(v, "TMPDIR=") && !strings.HasPrefix(v, "KEEP=") {
			out = append(out, v)
		}
	}
	return out
}

// descendants returns the processes that a process has started, directly or not, with
// the times of their starts.
func descendants(root int) map[string]string {
	found := map[string]string{fmt.Sprint(root): startOf(fmt.Sprint(root))}
	for more := true; more; {
		more = false
		all, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, file := range all {
			pid := filepath.Base(filepath.Dir(file))
			b, _ := os.ReadFile(file)
			_, rest, ok := strings.Cut(string(b), ") ")
			if !ok || found[pid] != "" {
				continue
			}
			if _, ours := found[strings.Fields(rest)[1]]; ours {
				found[pid], more = startOf(pid), true
			}
		}
	}
	return found
}

func alive(processes map[string]string) error {
	for pid, started := range processes {
		if startOf(pid) == started && started != "" {
			command, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			return fmt.Errorf("still running: %s %s", pid, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return nil
}
