// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// writable resolves path and returns an error if the file must not be written: a rename
// would replace a read-only file without an error. Root can write every file, so a file
// without any write bit is treated as read-only.
func writable(path string) (target string, info fs.FileInfo, err error) {
	target, err = resolve(path)
	if err != nil {
		return "", nil, err
	}
	info, err = os.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return target, nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	if info.IsDir() {
		return "", nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("is a directory")}
	}
	if !info.Mode().IsRegular() { // a rename would replace a device or a pipe
		return "", nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("is not a regular file")}
	}
	if info.Mode().Perm()&0o222 == 0 {
		return "", nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("the file is read-only")}
	}
	f, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return "", nil, err
	}
	return target, info, f.Close()
}

// resolve follows symbolic links, one by one, to the file that path refers to, even if
// that file does not exist.
func resolve(path string) (string, error) {
	for range 40 {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		next, err := os.Readlink(path)
		if err != nil { // not a link, or does not exist
			return path, nil
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(dir, next)
		}
		path = next
	}
	return "", &fs.PathError{Op: "follow", Path: path, Err: errors.New("too many links")}
}

// write atomically replaces the content of the file at path and preserves its mode.
func write(path string, content []byte) error { return writeAs(path, content, 0) }

// writeAs is like write, but sets the given mode and makes the caller the owner. With
// mode 0 it preserves mode and owner of an existing file; a new file gets 0600.
func writeAs(path string, content []byte, mode fs.FileMode) error {
	target, info, err := writable(path)
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	preserve := mode == 0
	switch {
	case !preserve:
	case info != nil:
		mode = info.Mode().Perm()
	default:
		mode = 0o600
	}
	dir := filepath.Dir(target)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(target)+".tenama-")
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as intended
	_, err = tmp.Write(content)
	if preserve {
		err = errors.Join(err, copyOwner(tmp, info))
	}
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	err = os.Rename(tmp.Name(), target)
	// a file mounted into a container cannot be replaced
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		if err = os.Chmod(target, mode); err == nil {
			err = os.WriteFile(target, content, mode)
		}
	}
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	if d, err := os.Open(dir); err == nil { // sync the directory, so that the rename survives a power failure
		_ = d.Sync()
		d.Close()
	}
	return nil
}
