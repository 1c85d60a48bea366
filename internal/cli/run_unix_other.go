// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package cli

import "syscall"

// killWithParent does nothing: this system has no signal for the end of a parent.
func killWithParent(*syscall.SysProcAttr) {}
