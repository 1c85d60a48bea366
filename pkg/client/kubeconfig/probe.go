// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check returns an error if a new context cannot be written. It tries what a change does:
// it reads all files, waits for a lock that another program holds, and writes as much as
// the file needs to a temporary file beside it. It changes no file.
func (f *Files) Check(ctx context.Context) error {
	if _, err := f.Load(); err != nil {
		return err
	}
	path := f.Destination()
	if err := probe(path); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	if _, err := os.Lstat(path + ".lock"); err != nil {
		return nil
	}
	unlock, err := lock(ctx, path)
	if err != nil {
		return err
	}
	unlock()
	return nil
}

// probe returns an error if the file at path cannot be written, or its lock not be taken.
// A missing directory counts as one that can be made if its parent can be written to.
func probe(path string) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			_, err = os.Stat(dir)
		}
		return writableDir(dir, filepath.Base(path), 0)
	}
	target, info, err := writable(path)
	if err != nil {
		return err
	}
	var size int64
	if info != nil {
		size = info.Size()
	}
	if err := writableDir(filepath.Dir(target), target, size+roomForContext); err != nil {
		return err
	}
	if filepath.Dir(target) == dir {
		return nil
	}
	return writableDir(dir, path, 0) // of the link, for the lock
}

// roomForContext is how many bytes a context takes at most.
const roomForContext = 4 << 10

// writableDir returns an error if no file with this many bytes can be made beside target.
func writableDir(dir, target string, size int64) error {
	tmp, err := os.CreateTemp(dir, temporaryPattern(target))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(make([]byte, size))
	return errors.Join(err, tmp.Close())
}
