// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"os"
	"time"
)

// Health is how one kubeconfig file is.
type Health struct {
	Path         string
	Destination  bool  // new contexts go here
	Unreadable   error // it cannot be read or parsed
	Unwritable   error
	OpenToOthers bool          // its mode lets others read it
	Locked       time.Duration // since when its lock is there; zero if it is not
}

// Health looks at the files in use, and changes nothing. A lock that is younger than a
// second is somebody at work.
func (f *Files) Health() []Health {
	var out []Health
	for _, path := range f.list {
		h := Health{Path: path, Destination: path == f.Destination()}
		_, _, h.Unreadable = load(path)
		_, info, err := writable(path)
		h.Unwritable = err
		h.OpenToOthers = info != nil && info.Mode().Perm()&0o044 != 0
		if lock, err := os.Stat(path + ".lock"); err == nil {
			if age := time.Since(lock.ModTime()); age > time.Second {
				h.Locked = age
			}
		}
		out = append(out, h)
	}
	return out
}
