// SPDX-License-Identifier: Apache-2.0

package cli

import "syscall"

// killWithParent kills the command with the plugin: nothing else would, in a process group of
// its own.
func killWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
