// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// patience is the longest time to wait for one part of the node, on a slow machine that
// does other work as well.
const patience = 5 * time.Minute

// process is a program of the node. It ends with process 1 of the namespaces.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
	err  error         // the result; valid once done is closed
}

// processes are those that have to run for as long as the node does.
var processes struct {
	sync.Mutex
	list []*process
}

func startProcess(name, program string, args ...string) (*process, error) {
	return startCommand(name, exec.Command(program, args...))
}

// startCommand starts a process with its output in log/NAME.
func startCommand(name string, cmd *exec.Cmd) (*process, error) {
	log, err := os.Create(path("log", name))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	processes.Lock()
	defer processes.Unlock()
	processes.list = append(processes.list, p)
	return p, nil
}

// until calls f until it returns nil. It fails early if a process of the node has ended.
func until(what string, f func() error) error {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := f()
		if err == nil {
			return nil
		}
		if dead := ended(); dead != nil {
			return fmt.Errorf("%s: %w", what, dead)
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// ended returns an error with the end of the log of each process that has ended.
func ended() error {
	processes.Lock()
	defer processes.Unlock()
	var errs []error
	for _, p := range processes.list {
		select {
		case <-p.done:
			errs = append(errs, fmt.Errorf("%s ended: %v\n%s", p.name, p.err, tail(p.name, 20)))
		default:
		}
	}
	return errors.Join(errs...)
}

// tail returns the last lines of a log.
func tail(name string, n int) string {
	b, err := os.ReadFile(path("log", name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
