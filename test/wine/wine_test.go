// SPDX-License-Identifier: Apache-2.0

// Package wine runs the plugin for Windows under Wine, against a real control plane. Wine is
// not Windows: it has no console that sends Ctrl-C, no virus scanner that holds files open and
// no access control lists; what these change is not tested here.
//
// It needs Debian's wine64 and, for a Wine before version 9, gcc-mingw-w64-x86-64-win32: Go
// needs bcryptprimitives.dll, of which a stub is compiled then.
package wine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// stub is bcryptprimitives.dll with the only function that Go uses.
const stub = `#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }
BOOL WINAPI DllMain(HINSTANCE h, DWORD r, LPVOID v) { return TRUE; }
`

// machine is a Windows with the plugin, for one user.
type machine struct {
	t            *testing.T
	wine, plugin string
	env          []string
	temp         string // the user's directory for temporary files
}

func newMachine(t *testing.T, c *testenv.Cluster, user string) *machine {
	t.Helper()
	dir := t.TempDir()
	prefix := filepath.Join(dir, "prefix")
	m := &machine{t: t, wine: program(t, "wine64"), plugin: filepath.Join(dir, "kubectl-tenama.exe")}
	m.env = append(os.Environ(), "WINEPREFIX="+prefix, "WINEDEBUG=-all", "TZ=UTC",
		"WINEDLLOVERRIDES=mscoree,mshtml=;bcryptprimitives=n,b")
	t.Cleanup(func() { _ = m.host(program(t, "wineserver64", "wineserver"), "-k").Run() })
	if out, err := m.host(m.wine, "wineboot", "-i").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", m.plugin, "./cmd/kubectl-tenama")
	build.Dir, build.Env = testenv.Root(), append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	system := filepath.Join(prefix, "drive_c", "windows", "system32")
	if _, err := os.Stat(filepath.Join(system, "bcryptprimitives.dll")); err != nil {
		source := filepath.Join(dir, "stub.c")
		if err := os.WriteFile(source, []byte(stub), 0o600); err != nil {
			t.Fatal(err)
		}
		compiler := program(t, "x86_64-w64-mingw32-gcc")
		out, err := m.host(compiler, "-shared", "-o", filepath.Join(system, "bcryptprimitives.dll"), source,
			"-ladvapi32").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	config := filepath.Join(dir, "config")
	b, err := os.ReadFile(c.Kubeconfig(user))
	if err == nil {
		err = os.WriteFile(config, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.env = append(m.env, "KUBECONFIG="+windowsPath(config))
	found, err := filepath.Glob(filepath.Join(prefix, "drive_c", "users", "*", "Temp"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the directory for temporary files: %v, %v", found, err)
	}
	m.temp = found[0]
	return m
}

// program returns the first of some programs that is installed.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/lib/wine") {
			if path := filepath.Join(dir, name); exec.Command(path, "--version").Run() == nil {
				return path
			}
		}
	}
	t.Fatalf("%s is not installed: apt-get install wine64 gcc-mingw-w64-x86-64-win32", names[0])
	return ""
}

func windowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

func (m *machine) host(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), 5*time.Minute)
	m.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = m.env
	return cmd
}

// run runs the plugin, and returns its combined output and exit code.
func (m *machine) run(args ...string) (string, int) {
	m.t.Helper()
	cmd := m.host(m.wine, append([]string{m.plugin}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), "\r", ""), cmd.ProcessState.ExitCode()
}

// want runs the plugin, and checks its exit code and a part of its output.
func (m *machine) want(code int, part string, args ...string) {
	m.t.Helper()
	if out, got := m.run(args...); got != code || !strings.Contains(out, part) {
		m.t.Errorf("%q: exit code %d, want %d and %q:\n%s", args, got, code, part, out)
	}
}

// runDirs returns the files in the directories of runs.
func (m *machine) runDirs() []string {
	m.t.Helper()
	found, err := filepath.Glob(filepath.Join(m.temp, "tenama-run-*", "*"))
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}
