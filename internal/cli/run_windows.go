// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package cli

import "os"

// flock always succeeds: no lock is needed where an open file cannot be removed.
func flock(*os.File) bool { return true }

// foreground returns true: a console sends Ctrl-C to all of its processes.
func foreground() bool { return true }
