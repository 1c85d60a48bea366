// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package cli

import "os"

// flock is not needed where a file that is open cannot be removed.
func flock(*os.File) bool { return true }

// foreground: a console sends Ctrl-C to all of its processes.
func foreground() bool { return true }
