// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubeconfig

import (
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

	"k8s.io/client-go/tools/clientcmd"
)

// TestMain lets the test binary act as a child process that adds one context, that adds
// and removes contexts in an endless loop, or that calls Check or overwrite; as another
// user, and with a limit of the size of files.
func TestMain(m *testing.M) {
	path, ns := os.Getenv("TEST_KUBECONFIG"), os.Getenv("TEST_NAMESPACE")
	if path == "" {
		os.Exit(m.Run())
	}
	if n := os.Getenv("TEST_FILE_SIZE"); n != "" {
		var limit syscall.Rlimit
		fmt.Sscan(n, &limit.Cur)
		limit.Max = limit.Cur
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			panic(err)
		}
	}
	if n := os.Getenv("TEST_UID"); n != "" {
		id := 0
		fmt.Sscan(n, &id)
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(id), syscall.Setuid(id)); err != nil {
			panic(err)
		}
	}
	if os.Getenv("TEST_CHECK") != "" {
		if err := Find(path).Check(testContext{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if content := os.Getenv("TEST_OVERWRITE"); content != "" {
		if err := overwrite(path, []byte(content)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	for i := 0; ; i++ {
		e := entry(ns)
		if os.Getenv("TEST_LOOP") != "" {
			e = entry(fmt.Sprintf("%s-%d", ns, i%5))
		}
		_, err := Find(path).Add(testContext{}, e, true)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if os.Getenv("TEST_LOOP") == "" {
			os.Exit(0)
		}
		if i%5 == 4 {
			if _, _, err := Find(path).Remove(testContext{}, all); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}

// testContext is a context that never ends, because a child process has no testing.T.
type testContext struct{}

func (testContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (testContext) Done() <-chan struct{}       { return nil }
func (testContext) Err() error                  { return nil }
func (testContext) Value(any) any               { return nil }

func process(path, ns string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "TEST_KUBECONFIG="+path, "TEST_NAMESPACE="+ns)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// TestFortyProcesses verifies that forty processes can change one kubeconfig
// concurrently, without a failure or a lost entry.
func TestFortyProcesses(t *testing.T) {
	_, path := use(t, ordinary)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if out, err := process(path, fmt.Sprintf("tmp-%d", i)).CombinedOutput(); err != nil {
				t.Errorf("process %d: %v: %s", i, err, out)
			}
		})
	}
	wg.Wait()
	c, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if c.Contexts[fmt.Sprintf("tenama-tmp-%d", i)] == nil {
			t.Errorf("the entry of process %d is lost", i)
		}
	}
	if c.Contexts["prod"] == nil || c.Contexts["blue"] == nil || !strings.Contains(read1(t, path), "# where I work") {
		t.Error("foreign entries were lost")
	}
}

// TestKill verifies that a process killed at any moment leaves either the old or the
// new file.
func TestKill(t *testing.T) {
	_, path := use(t, ordinary)
	for i := range 150 {
		cmd := process(path, "tmp-k", "TEST_LOOP=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Millisecond + rand.N(25*time.Millisecond))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		c, err := clientcmd.LoadFromFile(path)
		if err != nil {
			t.Fatalf("after kill %d kubectl cannot read it: %v\n%s", i, err, read1(t, path))
		}
		if c.Contexts["prod"] == nil || c.Contexts["blue"] == nil || c.AuthInfos["ann"] == nil {
			t.Fatalf("after kill %d foreign entries are lost:\n%s", i, read1(t, path))
		}
		if c.CurrentContext != "prod" && c.Contexts[c.CurrentContext] == nil {
			t.Fatalf("after kill %d current-context %q names nothing", i, c.CurrentContext)
		}
		_ = os.Remove(path + ".lock") // left by the killed process; the error message tells users to remove it
		left, _ := filepath.Glob(filepath.Dir(path) + "/.config.tenama-*")
		for _, f := range left {
			_ = os.Remove(f)
		}
	}
}

// TestFullDisk verifies that on a full disk the write fails and the file is unchanged.
func TestFullDisk(t *testing.T) {
	_, path := use(t, ordinary)
	out, err := process(path, "tmp-f", "TEST_FILE_SIZE=300").CombinedOutput()
	if err == nil {
		t.Fatal("the write did not fail")
	}
	if read1(t, path) != ordinary {
		t.Errorf("the file changed: %s", out)
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/*.lock"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestLockedByAnother verifies that a change waits while another program holds the
// lock, and does not remove the lock.
func TestLockedByAnother(t *testing.T) {
	files, path := use(t, ordinary)
	if err := os.WriteFile(path+".lock", nil, 0); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	time.AfterFunc(300*time.Millisecond, func() { os.Remove(path + ".lock") })
	if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
		t.Fatal(err)
	}
	if time.Since(begun) < 250*time.Millisecond {
		t.Error("it did not wait for the lock")
	}
}
