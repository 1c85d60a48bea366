// SPDX-License-Identifier: Apache-2.0

// Command kubectl-tenama is a kubectl plugin for namespaces that delete
// themselves.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // times are shown in the user's zone, also where the system has no database

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/internal/cli"
)

func main() {
	// A reader that goes away is an error to report, not the end of what was begun. Not
	// ignored: commands of ours would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	code := cli.Run(ctx, os.Args, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	os.Exit(code)
}
