// SPDX-License-Identifier: Apache-2.0

// Command cluster is a real Kubernetes control plane in one binary, built from Go
// modules only: etcd, kube-apiserver, kube-controller-manager and kubectl. The first
// argument, or the name under which the binary is called, selects one of these
// commands:
//
//	cluster up --dir DIR [--port PORT]   run a control plane in DIR
//	cluster second --dir DIR             run a second kube-apiserver on its etcd
//	cluster down --dir DIR               stop it
//	cluster kubectl ...                  run kubectl of the same version
//	cluster sources                      print the hash of the sources it was built from
//
// Built with the tag node, it also contains kubelet, kube-proxy and kube-scheduler, and
// `up --node ADDRESS` configures the control plane for a node at that address.
//
// It serves tests, the demo and benchmarks on a loopback address. Do not use it for a
// cluster with data that matters: etcd does not sync its writes to disk.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// sources is the hash of the files that this binary was built from. The build sets it;
// callers use it to detect a stale binary.
var sources = "unknown"

func init() {
	// A child's death signal is tied to the thread that started it. The main goroutine
	// starts all children and keeps the main thread, which lives as long as the
	// process.
	runtime.LockOSThread()
}

// tools are the commands by name.
var tools = map[string]func() int{
	"up":                      runUp,
	"second":                  runSecond,
	"down":                    runDown,
	"sources":                 func() int { fmt.Println(sources); return 0 },
	"etcd":                    runEtcd,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kubectl":                 runKubectl,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := tools[name]
	if !ok && len(os.Args) > 1 {
		name = os.Args[1]
		if run, ok = tools[name]; ok {
			os.Args = append([]string{name}, os.Args[2:]...)
		}
	}
	if !ok {
		fmt.Fprintln(os.Stderr,
			"usage: cluster up|second|down|sources|kubectl|etcd|kube-apiserver|kube-controller-manager [flags]")
		os.Exit(2)
	}
	os.Exit(run())
}
