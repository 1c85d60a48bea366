// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// runInit is process 1 of the namespaces: it hides the directories of the machine to
// which a node writes, starts the tests, and reaps processes until the tests end.
func runInit() int {
	err := isolate(os.Getenv(dirVariable))
	if err == nil {
		err = filters()
	}
	if err != nil {
		return skipOr(err)
	}
	os.Setenv(stageVariable, "tests")
	os.Setenv("TMPDIR", path("tmp"))
	tests, err := os.StartProcess("/proc/self/exe", os.Args,
		&os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		switch pid, err := syscall.Wait4(-1, &status, 0, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, "node:", err)
			return 1
		case pid == tests.Pid && status.Signaled():
			fmt.Fprintln(os.Stderr, "node: the tests were killed:", status.Signal())
			return 1
		case pid == tests.Pid:
			return status.ExitStatus()
		}
	}
}

// kernelSettings are those that kubelet changes for the whole machine, and the values
// that it wants.
var kernelSettings = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// isolate makes the mounts of the namespace. Below /run/node is dir, a directory of the
// machine's file system; what else a node writes to is empty and in memory.
func isolate(dir string) error {
	var errs []error
	mount := func(source, target, kind string, flags uintptr, data string) {
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			errs = append(errs, fmt.Errorf("mount %s %s on %s: %w", kind, source, target, err))
		}
	}
	mkdir := func(dirs ...string) {
		for _, d := range dirs {
			errs = append(errs, os.MkdirAll(d, 0o755))
		}
	}
	// Private first, so that the machine sees nothing; then shared, which containers
	// need to see mounts made later.
	mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
	mount("proc", "/proc", "proc", 0, "")
	data, err := os.Open(dir) // its path may be below a directory that is hidden now
	if err != nil {
		return err
	}
	defer data.Close()
	mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
	mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755")
	mkdir(base, "/run/netns", "/run/lock")
	mount(fmt.Sprintf("/proc/self/fd/%d", data.Fd()), base, "", syscall.MS_BIND, "")
	mkdir(path("tmp"), path("log"), path("bin"), path("images"), path("cni"))
	// The checkout can be below /var/lib, so that is not hidden.
	mkdir("/run/varlib/upper", "/run/varlib/work")
	mount("overlay", "/var/lib", "overlay", 0, "lowerdir=/var/lib,upperdir=/run/varlib/upper,workdir=/run/varlib/work")
	mkdir("/var/lib/kubelet", "/var/lib/cni")
	mount("tmpfs", "/var/lib/kubelet", "tmpfs", 0, "mode=755")
	mount("tmpfs", "/var/lib/cni", "tmpfs", 0, "mode=755")
	// kubelet changes no setting that has the value already.
	mkdir("/run/sysctl")
	for name, value := range kernelSettings {
		file := filepath.Join("/run/sysctl", filepath.Base(name))
		errs = append(errs, os.WriteFile(file, []byte(value+"\n"), 0o644))
		mount(file, "/proc/sys/"+name, "", syscall.MS_BIND, "")
	}
	errs = append(errs, syscall.Sethostname([]byte(hostname)))
	return errors.Join(errs...)
}
