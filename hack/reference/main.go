// SPDX-License-Identifier: Apache-2.0

// Command reference prints the reference of the plugin's commands, docs/cli.md, as
// generated from the commands themselves.
package main

import (
	"fmt"
	"os"

	"tenama.dev/tenama/internal/cli"
)

func main() {
	if err := cli.Reference(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}
