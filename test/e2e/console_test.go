// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// console is a program on a pseudo-terminal, as a user sees it.
type console struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	mu   sync.Mutex
	seen bytes.Buffer
	end  chan error
}

// terminalUser creates a home directory with a kubeconfig for a user at a terminal.
func terminalUser(t *testing.T, name string) (home string) {
	t.Helper()
	home = t.TempDir()
	config, err := clientcmd.LoadFromFile(shared.Kubeconfig("admin"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := shared.Certificate("client", name, "devs")
	if err != nil {
		t.Fatal(err)
	}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: cert, ClientKeyData: key}}
	config.Contexts["test"].AuthInfo = name
	if err := clientcmd.WriteToFile(*config, filepath.Join(home, "config")); err != nil {
		t.Fatal(err)
	}
	return home
}

// person returns a client of a user in the group devs.
func person(t *testing.T, name string) *client.Client {
	t.Helper()
	config, err := shared.ConfigFor(name, "devs")
	if err != nil {
		t.Fatal(err)
	}
	return as(t, config)
}

// open starts kubectl-tenama with args on a terminal of the given width.
func open(t *testing.T, home string, cols uint16, env []string, args ...string) *console {
	t.Helper()
	cmd := exec.Command(testenv.Bin("kubectl-tenama"), args...)
	cmd.Dir = home
	cmd.Env = append([]string{
		"PATH=" + testenv.Bin("") + ":" + os.Getenv("PATH"), "HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "config"),
		"TMPDIR=" + home, "TERM=xterm-256color", "LANG=C.UTF-8", "TZ=UTC",
	}, env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: cols})
	if err != nil {
		t.Fatal(err)
	}
	s := &console{t: t, cmd: cmd, tty: tty, end: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			s.mu.Lock()
			s.seen.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { err := cmd.Wait(); <-read; s.end <- err }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); tty.Close() })
	return s
}

func (s *console) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// until waits for a pattern on the screen.
func (s *console) until(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if re.MatchString(s.screen()) {
			return
		}
	}
	s.t.Fatalf("%q does not appear:\n%q", pattern, s.screen())
}

func (s *console) send(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code and all output.
func (s *console) exit() (int, string) {
	s.t.Helper()
	select {
	case <-s.end:
		return s.cmd.ProcessState.ExitCode(), s.screen()
	case <-time.After(2 * time.Minute):
		s.t.Fatalf("the program does not end:\n%q", s.screen())
		return 0, ""
	}
}
