// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"tenama.dev/tenama/pkg/client/kubeconfig"
	"tenama.dev/tenama/test/testenv"
)

// shell is a user's shell: its own kubeconfig, and the plugin under kubectl.
type shell struct {
	kubeconfig string
	env        []string
}

func newShell(t *testing.T, c *testenv.Cluster, user string) *shell {
	t.Helper()
	home := t.TempDir()
	b, err := os.ReadFile(c.Kubeconfig(user))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "config")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return &shell{
		path, append(os.Environ(), "HOME="+home, "KUBECONFIG="+path, "PATH="+testenv.Bin("")+":"+os.Getenv("PATH")),
	}
}

func (s *shell) command(args ...string) *exec.Cmd {
	cmd := exec.Command(testenv.Bin("kubectl"), append([]string{"tenama"}, args...)...)
	cmd.Env = s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run returns both outputs and the exit code.
func (s *shell) run(args ...string) (stdout, stderr string, code int) {
	cmd := s.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		code = -1
	}
	return out.String(), errs.String(), code
}

// On a cluster without tenama, with a stopped broker, and with a broken broker, the
// plugin must report the problem and a remedy in one line.
func TestPluginWithoutBroker(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	sh := newShell(t, c, "alice")
	// A context whose namespace may have been extended since by another machine.
	e := kubeconfig.Entry{Context: "tenama-tmp-lives", Cluster: "test", User: "alice", Namespace: "tmp-lives", UID: "1",
		Server: c.Server, ExpiresAt: time.Now().Add(-time.Hour)}
	if _, err := kubeconfig.Find(sh.kubeconfig).Add(t.Context(), e, false); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(sh.kubeconfig)
	check := func(what, want string) {
		t.Helper()
		for _, args := range [][]string{
			{"create", "--ttl", "1h"}, {"list"}, {"extend", "x"}, {"delete", "x"}, {"use", "x"}, {"version"},
		} {
			stdout, stderr, code := sh.run(args...)
			first, _, _ := strings.Cut(stderr, "\n")
			if code != 1 || first != want || strings.Contains(stdout, "created") {
				t.Errorf("%s: %v: got %d %q, want 1 %q", what, args, code, stderr, want)
			}
		}
		if stdout, stderr, code := sh.run("prune", "--unreachable"); code != 0 || stdout != "" ||
			!strings.Contains(stderr, `Context "tenama-tmp-lives" stays: `) {
			t.Errorf("%s: prune: %d %q %q", what, code, stdout, stderr)
		}
		if after, _ := os.ReadFile(sh.kubeconfig); string(after) != string(before) {
			t.Errorf("%s: the kubeconfig changed", what)
		}
	}
	const absent = "error: tenama is not installed on this cluster, or its broker is stopped"
	check("never installed", absent)
	b := start(t, c, port, "broker-0")
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	check("stopped", absent)
	b = start(t, c, port, "broker-0")
	b.Kill()
	if out, err := c.Kubectl("admin", "wait", "--for=condition=Available=False", "--timeout=90s",
		"apiservice/v1alpha1.tenama.dev"); err != nil {
		t.Fatal(out)
	}
	check("killed", "error: the tenama broker of this cluster does not respond")
}

// After Ctrl-C at any moment, the kubeconfig must be intact, no lock may remain, and
// namespaces whose creation had begun must be complete or gone.
func TestInterrupt(t *testing.T) {
	sh := newShell(t, shared.Cluster, "carol")
	direct := func(args ...string) *exec.Cmd { // without kubectl, more interrupts hit the plugin itself
		cmd := exec.Command(testenv.Bin("kubectl-tenama"), args...)
		cmd.Env, cmd.SysProcAttr = sh.env, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	begun := time.Now()
	if out, err := direct("create", unique("whole"), "--ttl", "1h").CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	whole := time.Since(begun)
	var codes [256]int
	for i := range 60 {
		name := fmt.Sprintf("%s-%d", unique("int"), i)
		cmd := direct("create", name, "--ttl", "1h")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(whole + whole/2))
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // the terminal signals the whole group
		err := cmd.Wait()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode() & 255
		}
		codes[code]++
		// 255: ended by the first signal before it had a handler, or by the second one
		if code != 0 && code != 130 && code != 255 {
			t.Errorf("exit code %d: %s", code, out.String())
		}
		config, err := clientcmd.LoadFromFile(sh.kubeconfig)
		if err != nil {
			t.Fatalf("the kubeconfig is damaged: %v", err)
		}
		if config.Contexts[config.CurrentContext] == nil || config.Contexts["test"] == nil {
			t.Fatalf("current-context %q does not exist", config.CurrentContext)
		}
		if _, err := os.Stat(sh.kubeconfig + ".lock"); err == nil {
			t.Fatal("the lock file still exists")
		}
	}
	t.Logf("%d runs ended before the interrupt, %d were interrupted", codes[0], codes[130]+codes[255])
	if codes[0] == 0 || codes[130] == 0 {
		t.Errorf("the interrupts did not reach all stages: %v done, %v interrupted", codes[0], codes[130])
	}
	time.Sleep(time.Second)
	carol := user(t, "carol")
	list, err := carol.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tn := range list.Items {
		if tn.DeletionTimestamp != nil {
			continue
		}
		if err := complete(t.Context(), admin(), tn.Name, "carol"); err != nil {
			t.Error(err)
		}
		_, _ = carol.Delete(t.Context(), tn.Name, metav1.DeleteOptions{})
	}
}

// Eight pipelines that share a kubeconfig must be able to create and delete namespaces
// at the same time.
func TestPipelinesShareAKubeconfig(t *testing.T) {
	sh := newShell(t, shared.Cluster, "dora")
	before, _ := os.ReadFile(sh.kubeconfig)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("%s-%d", unique("pipe"), i)
			if _, stderr, code := sh.run("create", name, "--ttl", "1h"); code != 0 {
				t.Errorf("create: %d %s", code, stderr)
			}
			files := kubeconfig.Find(sh.kubeconfig)
			if m, err := files.Load(); err != nil || m.Contexts["tenama-"+name] == nil {
				t.Errorf("the context of %s is lost (%v)", name, err)
			}
			if _, stderr, code := sh.run("delete", name, "--wait=false"); code != 0 {
				t.Errorf("delete: %d %s", code, stderr)
			}
		})
	}
	wg.Wait()
	if after, _ := os.ReadFile(sh.kubeconfig); string(after) != string(before) {
		t.Errorf("the kubeconfig differs from before:\n%s", after)
	}
}
