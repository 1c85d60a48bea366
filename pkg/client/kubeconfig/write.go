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

// writable resolves path and tells whether it may be written: rename would
// replace a read-only file without asking. Root may write everything, but a
// file without any write bit says that it is not to be written.
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
	if !info.Mode().IsRegular() { // to rename over a device or a pipe would replace it
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

// resolve follows links to the file that path means, link by link, also if that
// file is not there yet.
func resolve(path string) (string, error) {
	for range 40 {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		next, err := os.Readlink(path)
		if err != nil { // not a link, or not there
			return path, nil
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(dir, next)
		}
		path = next
	}
	return "", &fs.PathError{Op: "follow", Path: path, Err: errors.New("too many links")}
}

// write replaces the content of the file at path in one step; its mode stays.
func write(path string, content []byte) error { return writeAs(path, content, 0) }

// writeAs is write with the mode that the file has then, and with the caller as its
// owner; with mode 0 it keeps the mode and the owner that it has, and is 0600 if new.
func writeAs(path string, content []byte, mode fs.FileMode) error {
	target, info, err := writable(path)
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	keep := mode == 0
	switch {
	case !keep:
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
	defer os.Remove(tmp.Name()) // fails after the rename, and that is right
	_, err = tmp.Write(content)
	if keep {
		err = errors.Join(err, own(tmp, info))
	}
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	err = os.Rename(tmp.Name(), target)
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) { // a file mounted into a container cannot be replaced
		if err = os.Chmod(target, mode); err == nil {
			err = os.WriteFile(target, content, mode)
		}
	}
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	if d, err := os.Open(dir); err == nil { // so that the new name survives a power cut
		_ = d.Sync()
		d.Close()
	}
	return nil
}
