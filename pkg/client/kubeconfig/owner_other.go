// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package kubeconfig

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func copyOwner(*os.File, fs.FileInfo) error { return nil }

// OwnedByCaller reports whether a file is owned by the caller. On this platform the owner is
// unknown, and OwnedByCaller returns true.
func OwnedByCaller(fs.FileInfo) bool { return true }

// links returns 1: on this platform the number of hard links is unknown.
func links(fs.FileInfo) uint64 { return 1 }

// isBusy reports whether an operation failed because another program, such as a virus scanner,
// has the file open, or because it is being removed (ERROR_ACCESS_DENIED,
// ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION).
func isBusy(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && (number == 5 || number == 32 || number == 33)
}
