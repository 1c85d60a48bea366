// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
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

// write replaces the content of the file at path and preserves its mode.
func write(path string, content []byte) error { return writeAs(path, content, 0) }

// writeAs is like write, but sets the given mode and makes the caller the owner. With
// mode 0 it preserves mode, owner, group and hard links of an existing file; a new file
// gets 0600. The write is one rename, unless that would lose what is preserved.
func writeAs(path string, content []byte, mode fs.FileMode) error {
	target, info, err := writable(path)
	if err == nil {
		err = replace(target, info, content, mode)
	}
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

func replace(target string, info fs.FileInfo, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(target)
	tmp, err := os.CreateTemp(dir, temporaryPattern(target))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as intended
	renames, err := true, error(nil)
	switch {
	case mode != 0:
		err = tmp.Chmod(mode)
	case info != nil: // where the caller cannot give the file away, a rename would lose its owner or group
		renames = links(info) == 1 && copyOwner(tmp, info) == nil && tmp.Chmod(info.Mode().Perm()) == nil
	}
	if err == nil {
		_, err = tmp.Write(content)
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if renames {
		err = rename(tmp.Name(), target)
		// a file mounted into a container cannot be replaced
		if renames = !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EXDEV); renames && err != nil {
			return err
		}
	}
	if !renames {
		if mode != 0 {
			if err := os.Chmod(target, mode); err != nil {
				return err
			}
		}
		return overwrite(target, content)
	}
	if d, err := os.Open(dir); err == nil { // sync the directory, so that the rename survives a power failure
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// rename renames a file. It waits up to lockWait for another program that has it open.
func rename(from, to string) error {
	for since := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := os.Rename(from, to)
		if !isBusy(err) || time.Since(since) > lockWait {
			return err
		}
	}
}

// temporaryPattern returns the pattern of the temporary files beside a file.
func temporaryPattern(target string) string { return "." + filepath.Base(target) + ".tenama-" }

// overwrite writes a file in place, as kubectl does. If that fails, it puts the old content
// back: the file was not truncated before, so there is room for it.
func overwrite(target string, content []byte) error {
	old, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	put := func(b []byte) error {
		if _, err := f.WriteAt(b, 0); err != nil {
			return err
		}
		return errors.Join(f.Truncate(int64(len(b))), f.Sync())
	}
	if err = put(content); err != nil {
		err = errors.Join(err, put(old))
	}
	return errors.Join(err, f.Close())
}
