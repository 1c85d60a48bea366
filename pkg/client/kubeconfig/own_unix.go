// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kubeconfig

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// own gives a new file the owner and the group of the one that it replaces. A
// file that would change hands is refused.
func own(f *os.File, was fs.FileInfo) error {
	if was == nil {
		return nil
	}
	st, ok := was.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if n, ok := now.Sys().(*syscall.Stat_t); ok && n.Uid == st.Uid && n.Gid == st.Gid {
		return nil
	}
	if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("keep its owner and group: %w", err)
	}
	return nil
}

// Mine tells whether a file is the caller's.
func Mine(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid()
}
