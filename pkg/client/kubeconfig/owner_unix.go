// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kubeconfig

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// copyOwner sets owner and group of a new file to those of the file that it replaces. It
// returns an error if they cannot be preserved.
func copyOwner(f *os.File, replaced fs.FileInfo) error {
	if replaced == nil {
		return nil
	}
	st, ok := replaced.Sys().(*syscall.Stat_t)
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
		return fmt.Errorf("preserve owner and group: %w", err)
	}
	return nil
}

// OwnedByCaller reports whether a file is owned by the caller.
func OwnedByCaller(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid()
}

// links returns the number of hard links of a file.
func links(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink)
}

// isBusy returns false: on Unix, an open file can be replaced.
func isBusy(error) bool { return false }
