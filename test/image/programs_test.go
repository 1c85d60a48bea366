// SPDX-License-Identifier: Apache-2.0

package image

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// newRegistry starts a registry on this machine, and returns its address.
func newRegistry(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	write(t, config, fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: %s}}\n"+
		"http: {addr: %s}\n", filepath.Join(dir, "data"), addr))
	start(t, dir, "docker-registry", "serve", config)
	eventually(t, "the registry answers", func() bool {
		resp, err := http.Get("http://" + addr + "/v2/")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return addr
}

// newContainerd starts containerd with a state of its own, and returns the beginning of
// each command that talks to it.
func newContainerd(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	write(t, config, fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [%q, %q, %q]\n"+
		"[grpc]\naddress = %q\n[ttrpc]\naddress = %q\n", filepath.Join(dir, "root"), filepath.Join(dir, "state"),
		"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
		filepath.Join(dir, "grpc.sock"), filepath.Join(dir, "ttrpc.sock")))
	t.Cleanup(func() { // runs after the end of containerd, and before that of dir
		run(t, asRoot()[0], append(asRoot()[1:], "rm", "-rf", filepath.Join(dir, "root"), filepath.Join(dir, "state"))...)
	})
	args := append(asRoot(), "containerd", "--config", config)
	start(t, dir, args[0], args[1:]...)
	ctr := append(asRoot(), "ctr", "--address", filepath.Join(dir, "grpc.sock"), "--namespace", "k8s.io")
	eventually(t, "containerd answers", func() bool {
		return exec.Command(ctr[0], append(ctr[1:len(ctr):len(ctr)], "version")...).Run() == nil
	})
	return ctr
}

// asRoot returns the beginning of a command that only root may run.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"env"}
	}
	return []string{"sudo", "-n"}
}

// start starts a program, and ends it at the end of the test.
func start(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			text := read(t, filepath.Join(dir, "log"))
			t.Logf("the end of the log of %s:\n%s", name, text[max(0, len(text)-2000):])
		}
	})
}

// eventually waits for a condition. A slow machine gets a minute.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// digestIn returns the digest of an image in a registry, which skopeo computes.
func digestIn(t *testing.T, ref string) string {
	t.Helper()
	b := run(t, "skopeo", "inspect", "--raw", "--tls-verify=false", "docker://"+ref)
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(b)))
}

// raw reads a manifest in a registry.
func raw(t *testing.T, ref string, into any) {
	t.Helper()
	b := run(t, "skopeo", "inspect", "--raw", "--tls-verify=false", "docker://"+ref)
	if err := json.Unmarshal([]byte(b), into); err != nil {
		t.Fatalf("%s: %v: %s", ref, err, b)
	}
}

// tool returns the path of a program that make has built.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(root(t), "bin", "tools", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make image-test", err)
	}
	return path
}

func sum(t *testing.T, path string) string {
	t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, path))))
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
