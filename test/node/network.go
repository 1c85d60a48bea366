// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// The node has one network interface, which leads to a machine outside the cluster.
const (
	hostname  = "node1"
	address   = "10.77.0.1"     // of the node
	gateway   = "10.77.0.254"   // of the machine outside
	podRange  = "10.244.0.0/16" // routed there, not masqueraded: it sees the addresses of pods
	services  = "10.96.0.0/16"
	apiserver = "6443"
)

// Servers on port 80 of the machine outside: an ordinary one, which CoreDNS calls
// outside.test, and one at the address of a cloud's metadata service.
const (
	Outside  = "203.0.113.10:80"
	Metadata = "169.254.169.254:80"
)

// connect starts the machine outside, in a network namespace of its own, and connects
// the node to it.
func connect() (*process, error) {
	cmd := exec.Command("sh", "-c", `read -r ready && exec "$0" serve "$@"`, path("bin", "probe"), Outside, Metadata)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	ready, err := cmd.StdinPipe() // it serves once its addresses exist
	if err != nil {
		return nil, err
	}
	p, err := startCommand("outside", cmd)
	if err != nil {
		return nil, err
	}
	pid := fmt.Sprint(cmd.Process.Pid)
	here := func(args ...string) error { return run("ip", args...) }
	there := func(args ...string) error {
		return run("nsenter", append([]string{"--net=/proc/" + pid + "/ns/net", "ip"}, args...)...)
	}
	set := func(name, value string) error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644) }
	_ = run("modprobe", "-a", "br_netfilter", "overlay", "ip_set", "xt_set") // unless they are part of the kernel
	err = errors.Join(
		here("link", "set", "lo", "up"),
		here("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pid),
		here("address", "add", address+"/24", "dev", "eth0"),
		here("link", "set", "eth0", "up"),
		there("link", "set", "lo", "up"),
		there("address", "add", gateway+"/24", "dev", "eth0"),
		there("address", "add", host(Outside)+"/32", "dev", "lo"),
		there("address", "add", host(Metadata)+"/32", "dev", "lo"),
		there("link", "set", "eth0", "up"),
		there("route", "add", podRange, "via", address),
		here("route", "add", "default", "via", gateway),
		set("ipv4/ip_forward", "1"),
		// Without it, packets between pods would cross the bridge past the policies.
		set("bridge/bridge-nf-call-iptables", "1"),
	)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(ready, "ready")
	return p, err
}

func host(address string) string { h, _, _ := strings.Cut(address, ":"); return h }
