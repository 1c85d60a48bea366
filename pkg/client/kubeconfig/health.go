// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"os"
	"time"
)

// Health describes the state of one kubeconfig file.
type Health struct {
	Path         string
	Destination  bool  // new contexts are written to this file
	Unreadable   error // why the file cannot be read or parsed; nil if it can
	Unwritable   error
	OpenToOthers bool          // the file mode allows other users to read it
	Locked       time.Duration // age of the lock file; zero if there is none
}

// Health inspects the files in use without changing them. A lock younger than one
// second is ignored: it belongs to a running program.
func (f *Files) Health() []Health {
	var out []Health
	for _, path := range f.list {
		h := Health{Path: path, Destination: path == f.Destination()}
		_, _, h.Unreadable = load(path)
		h.Unwritable = probe(path)
		info, _ := os.Stat(path)
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
