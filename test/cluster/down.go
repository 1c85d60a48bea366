// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lock marks dir as in use by this process until unlock is called, or until the process
// ends for any reason: the kernel then releases the lock.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "pid"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by a running control plane", dir)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return func() { f.Close() }, err
}

// holder returns the process that holds the lock of dir, or 0.
func holder(dir string) (int, error) {
	f, err := os.Open(filepath.Join(dir, "pid"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0, nil
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func runDown() int {
	fs := flag.NewFlagSet("down", flag.ContinueOnError)
	dir := fs.String("dir", "", "data directory of the control plane to stop; its files stay")
	if err := fs.Parse(os.Args[1:]); err != nil {
		return 2
	}
	if err := down(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}

func down(dir string) error {
	if dir == "" {
		return errors.New("--dir is required")
	}
	pid, err := holder(dir)
	if err != nil || pid == 0 {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for range 600 {
		if p, err := holder(dir); err != nil || p == 0 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("process %d did not end within 30 s", pid)
}

// detach starts `up` in a new session and returns once it is ready.
func detach(o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	args := []string{"up", "--dir", o.dir, "--port", strconv.Itoa(o.port)}
	for _, f := range o.apiserver {
		args = append(args, "--apiserver-flag", f)
	}
	log, err := os.Create(filepath.Join(o.dir, "up.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for range 2000 {
		b, _ := os.ReadFile(log.Name())
		if strings.Contains(string(b), "ready ") {
			fmt.Print(string(b))
			return nil
		}
		select {
		case <-ended:
			b, _ := os.ReadFile(log.Name())
			return errors.New(strings.TrimSpace(string(b)))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("not ready within 100 s")
}
