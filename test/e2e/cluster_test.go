// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// All other tests need control planes that run side by side, enforce authentication and
// RBAC, and leave no processes behind.
func TestControlPlane(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "side")
	if out, err := exec.Command(testenv.Bin("cluster"), "up", "--dir", dir, "--detach").CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	defer func() { _ = exec.Command(testenv.Bin("cluster"), "down", "--dir", dir).Run() }()
	side := &testenv.Cluster{Dir: dir}
	if out, err := side.Kubectl("admin", "get", "--raw", "/version"); err != nil ||
		!strings.Contains(out, `"gitVersion": "v1.37.`) {
		t.Errorf("a second control plane in another directory: %s", out)
	}
	if out, err := exec.Command(testenv.Bin("cluster"), "up", "--dir", dir).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "in use") {
		t.Errorf("a second control plane in the same directory: %s", out)
	}
	for user, want := range map[string]string{
		"alice": "devs", "bob": "devs", "carol": "ops", "dora": "devs", "erik": "ops", "admin": "system:masters",
	} {
		out, err := shared.Kubectl(user, "auth", "whoami", "-o",
			"jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
		if err != nil || !strings.HasPrefix(out, user+" ") || !strings.Contains(out, want) {
			t.Errorf("%s is %q, want group %s", user, out, want)
		}
	}
	c := direct(t, nil, nil)
	if code, _ := send(t, c, http.MethodGet, shared.Server+"/version", nil); code != 401 {
		t.Errorf("anonymous requests: got %d, want 401", code)
	}
	if out, err := shared.Kubectl("alice", "create", "namespace", "x"); err == nil {
		t.Errorf("RBAC is not enforced: %s", out)
	}

	// kill -9 also ends the components.
	pids := map[string]int{}
	for _, name := range []string{"pid", "kube-apiserver.pid", "kube-controller-manager.pid"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if pids[name], err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pids["pid"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err := testenv.Eventually(60*time.Second, func() error {
		for name, pid := range pids {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err == nil && !strings.Contains(string(b), ") Z ") {
				return fmt.Errorf("%s, process %d, still runs", name, pid)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// The control plane can be started again with the data that it left.
	if out, err := exec.Command(testenv.Bin("cluster"), "up", "--dir", dir, "--detach").CombinedOutput(); err != nil {
		t.Fatalf("after kill -9: %s", out)
	}
	if out, err := exec.Command(testenv.Bin("cluster"), "down", "--dir", dir).CombinedOutput(); err != nil {
		t.Errorf("down: %s", out)
	}
}

// Without this test, all others could fail where TMPDIR is long: the path of a unix
// socket, through which kube-apiserver reaches etcd, may have at most 107 bytes.
func TestLongDirectory(t *testing.T) {
	t.Parallel() // with its own control plane
	c := again(t, filepath.Join(t.TempDir(), strings.Repeat("x", 120)))
	url, stop, err := c.StartSecond(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, server := range []string{c.Server, url} {
		if out, err := c.Kubectl("admin", "--server", server, "get", "namespace", "default"); err != nil {
			t.Errorf("%s: %s", server, out)
		}
	}
}
