// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"
)

// onHost runs the binary again in namespaces of its own, and removes all traces
// afterwards. If this process is killed, the kernel kills process 1 of the namespaces;
// then the temporary directory stays, and empty cgroups until the next run.
func onHost() int {
	runtime.LockOSThread() // the death of a thread would kill its children
	before := traces()
	code, err := inNamespaces()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		code = 1
	}
	if diff := cmp.Diff(before, traces()); diff != "" {
		fmt.Fprintf(os.Stderr, "node: the machine has changed (-before +after):\n%s", diff)
		code = 1
	}
	return code
}

func inNamespaces() (code int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	removeStaleCgroups()
	dir, err := os.MkdirTemp("", "node-")
	if err != nil {
		return 0, err
	}
	cgroup := newCgroupName()
	if err := createCgroup(cgroup); err != nil {
		return skipOr(err), errors.Join(removeCgroup(cgroup), os.RemoveAll(dir))
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), stageVariable+"=init", dirVariable+"="+dir, cgroupVariable+"="+cgroup)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC,
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // a signal from the terminal reaches only this process
	}
	if err := cmd.Start(); err != nil {
		return skipOr(err), errors.Join(removeCgroup(cgroup), os.RemoveAll(dir))
	}
	if os.Getenv("KEEP") == "1" {
		fmt.Printf("Enter the node:  nsenter -t %d -m -p -n -u -i env KUBECONFIG=%s PATH=%s:$PATH sh\n", cmd.Process.Pid,
			path("cluster", "admin.kubeconfig"), path("bin"))
		fmt.Printf("Stop it:         kill %d\n", os.Getpid())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case s := <-signals:
		_ = cmd.Process.Kill() // the kernel ends every process of the namespace first
		<-ended
		err = fmt.Errorf("stopped by a signal: %s", s)
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.Exited() {
		code, err = exit.ExitCode(), nil
	}
	return code, errors.Join(err, removeCgroup(cgroup), os.RemoveAll(dir))
}

// traces describes what a node could leave on a machine.
func traces() map[string]string {
	t := map[string]string{}
	list := func(pattern string) {
		found, _ := filepath.Glob(pattern)
		t[pattern] = strings.Join(found, " ")
	}
	for _, pattern := range []string{
		"/run/netns/*", "/run/containerd/*", "/run/xtables.lock", "/opt/c*", "/etc/cni/*", "/usr/libexec/kubernetes",
		"/var/lib/kube*", "/var/lib/cni", "/var/lib/containerd/*", "/var/log/pods", "/var/log/containers",
		"/sys/class/net/*",
	} {
		list(pattern)
	}
	for name := range kernelSettings {
		b, _ := os.ReadFile("/proc/sys/" + name)
		t[name] = strings.TrimSpace(string(b))
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if regexp.MustCompile("cni|containerd|kubelet|node").MatchString(line) {
			t["mounts"] += line
		}
	}
	for _, program := range []string{"nft list chains", "ipset list -name"} {
		words := strings.Fields(program)
		out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		t[program] = fmt.Sprint(string(out), err)
	}
	return t
}
