// SPDX-License-Identifier: Apache-2.0

// Package node runs tests on a real Kubernetes node: kubelet, containerd and runc run
// the pods, kube-proxy and CoreDNS make Services and names work, and kube-router enforces
// NetworkPolicies. The tests and the node run in Linux namespaces of their own, so that
// the machine keeps its processes, mounts, network and files.
//
// A test binary runs three times:
//
//	on the host      creates the namespaces, waits, and removes what the kernel does not (host.go)
//	as process 1     mounts what the node writes to, reaps processes (init.go)
//	as the tests     starts the node on the first call of Start, runs the tests
//
// The end of process 1 ends every process of the node, and with them the mounts and
// networks of their namespaces.
package node

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"tenama.dev/tenama/test/testenv"
)

// Variables of the environment in which the binary runs again.
const (
	stageVariable  = "TENAMA_NODE_STAGE"  // init or tests
	dirVariable    = "TENAMA_NODE_DIR"    // the directory for the data of the node
	cgroupVariable = "TENAMA_NODE_CGROUP" // the cgroup of its pods
)

// Main runs the tests of a package; its TestMain exits with the result. Where the tests
// cannot run it prints why, and succeeds.
func Main(m interface{ Run() int }) int {
	switch os.Getenv(stageVariable) {
	case "init":
		return runInit()
	case "tests":
		return runTests(m)
	}
	if lacking := lacking(); lacking != "" {
		fmt.Println("skipped: the tests on a node need " + lacking)
		return 0
	}
	return onHost()
}

// lacking returns what the tests need and the machine does not have.
func lacking() string {
	if runtime.GOOS != "linux" {
		return "Linux"
	}
	if os.Getuid() != 0 {
		return "root"
	}
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, program := range []string{
		"containerd", "runc", "/usr/lib/cni/bridge", "ip", "iptables", "ipset", "nft", "conntrack", "modprobe",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return program + "; test/node/packages.sh installs it on Debian"
		}
	}
	for _, built := range binaries {
		if _, err := os.Stat(testenv.Bin(built)); err != nil {
			return "bin/" + built + ", which make node builds"
		}
	}
	return ""
}

// binaries are the programs that the node runs, besides those of the machine.
var binaries = []string{
	"cluster-node", "probe", "tools/coredns", "tools/kube-router", "tools/helm", "kubectl-tenama", "tenama-broker.tar",
}

// runTests runs the tests, with KEEP=1 until a signal.
func runTests(m interface{ Run() int }) int {
	keep := os.Getenv("KEEP") == "1"
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	code := m.Run()
	if keep {
		if _, err := start(); err != nil {
			code = 1
		}
	}
	if running.node != nil && code != 0 {
		running.node.diagnose(os.Stdout)
	}
	if keep {
		fmt.Printf("The tests ended with code %d; the node keeps running.\n", code)
		<-stop
	}
	return code
}

// Data of the node, as its own processes see it. It lies in a temporary directory of the
// machine; the path is short because unix sockets are below it.
const base = "/run/node"

func path(elem ...string) string { return filepath.Join(append([]string{base}, elem...)...) }

// run runs a command and returns an error with its output if it fails.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
