// SPDX-License-Identifier: Apache-2.0

// Command reference prints docs/cli.md, the reference of the plugin's commands; or with the
// argument metrics docs/metrics.md, that of the broker's metrics. Both are made from the code.
package main

import (
	"fmt"
	"os"

	"tenama.dev/tenama/internal/cli"
	"tenama.dev/tenama/pkg/broker"
)

func main() {
	write := cli.Reference
	if len(os.Args) > 1 && os.Args[1] == "metrics" {
		write = broker.WriteMetrics
	}
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}
