// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
	"tenama.dev/tenama/test/testenv/terminal"
)

// console is a program on a pseudo-terminal, as a user sees it.
type console struct {
	t       *testing.T
	session *terminal.Session
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
	session, err := terminal.Start(cmd, 24, int(cols))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return &console{t, session}
}

func (s *console) screen() string { return s.session.Output() }

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
	if err := s.session.Send(keys); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code and all output.
func (s *console) exit() (int, string) {
	s.t.Helper()
	select {
	case <-s.session.Done():
		return s.session.ExitCode(), s.screen()
	case <-time.After(2 * time.Minute):
		s.t.Fatalf("the program does not end:\n%q", s.screen())
		return 0, ""
	}
}
