// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// lockWait is the maximum time to wait for one holder of the lock, which normally takes
// milliseconds. It is counted for each holder separately: on a busy machine the lock
// can change hands for longer.
const lockWait = 10 * time.Second

// lock takes client-go's lock on a kubeconfig file: FILE.lock, created exclusively
// (k8s.io/client-go/tools/clientcmd, lockFile). It waits for other holders, and never
// removes a lock that it did not create.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock kubeconfig: %w", err)
	}
	name := path + ".lock"
	var holder fs.FileInfo
	for since := time.Now(); ; {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0)
		if err == nil {
			f.Close()
			return func() { removeLock(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) && (!isBusy(err) || time.Since(since) > lockWait) {
			return nil, fmt.Errorf("lock kubeconfig: %w", err)
		}
		now, err := os.Lstat(name)
		if err == nil &&
			(holder == nil || !os.SameFile(now, holder) || !now.ModTime().Equal(holder.ModTime())) {
			holder, since = now, time.Now()
		}
		if time.Since(since) > lockWait {
			age := "some time"
			if holder != nil {
				age = time.Since(holder.ModTime()).Round(time.Second).String()
			}
			return nil, fmt.Errorf("lock kubeconfig %q: another program has held %q for %s; "+
				"if none is running, remove that file", path, name, age)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5*time.Millisecond + rand.N(20*time.Millisecond)):
		}
	}
}

// removeLock removes a lock. It waits a moment for another program that has it open.
func removeLock(name string) {
	for range 20 {
		if err := os.Remove(name); !isBusy(err) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
