// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"syscall"
)

// maxSocketPath is the longest path of a unix socket on Linux, in bytes (unix(7)).
const maxSocketPath = 107

// socketPath returns a path of the socket name in dir that is short enough. If its own
// path is too long, as in a deep temporary directory, the path leads through a file
// descriptor of this process: it is valid until the process ends, also for children.
func socketPath(dir, name string) (string, error) {
	if path := filepath.Join(dir, name); len(path) <= maxSocketPath {
		return path, nil
	}
	const pathOnly = 0x200000 // O_PATH, which package syscall does not define
	fd, err := syscall.Open(dir, pathOnly|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", dir, err)
	}
	return filepath.Join(fmt.Sprintf("/proc/%d/fd/%d", syscall.Getpid(), fd), name), nil
}
