// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Cgroups belong to no namespace: those of the pods remain when their processes have
// ended. So all of them are below one, whose name says which process removes it.
const cgroupPrefix = "tenama-node-"

// newCgroupName returns a name that contains the PID namespace of this process, its ID,
// and the time of its start.
func newCgroupName() string {
	return cgroupPrefix + pidNamespace() + "-" + fmt.Sprint(os.Getpid()) + "-" + startOf("self")
}

func pidNamespace() string {
	link, _ := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	return strings.Trim(link, "pid:[]")
}

// startOf returns the time at which a process started, in clock ticks after the start of
// the machine (proc(5): field 22 of stat), or "" if there is no such process.
func startOf(pid string) string {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ") // after the name, which may contain spaces
	fields := strings.Fields(rest)
	return fields[22-3]
}

// hierarchies returns the mount points of cgroups: one with version 2, and one for each
// controller with version 1.
func hierarchies() []string {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(mounts)) {
		mount, kind, _ := strings.Cut(line, " - ")
		if strings.HasPrefix(kind, "cgroup ") || strings.HasPrefix(kind, "cgroup2 ") {
			points = append(points, strings.Fields(mount)[4])
		}
	}
	return points
}

func createCgroup(name string) error {
	for _, h := range hierarchies() {
		if err := os.Mkdir(filepath.Join(h, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroup removes a cgroup and those below it. Their processes have ended, but the
// kernel can need a moment until it allows that.
func removeCgroup(name string) error {
	var errs []error
	for _, h := range hierarchies() {
		var err error
		for range 600 {
			if err = removeBelow(filepath.Join(h, name)); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeBelow removes a directory and those below it. Their files cannot be removed: they
// are the settings of the cgroups.
func removeBelow(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeBelow(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(dir)
}

// removeStaleCgroups removes those of processes that were killed.
func removeStaleCgroups() {
	for _, h := range hierarchies() {
		found, _ := filepath.Glob(filepath.Join(h, cgroupPrefix+pidNamespace()+"-*"))
		for _, dir := range found {
			owner := strings.Split(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
			if len(owner) == 3 && startOf(owner[1]) != owner[2] {
				_ = removeBelow(dir)
			}
		}
	}
}
