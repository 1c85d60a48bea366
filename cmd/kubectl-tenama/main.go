// SPDX-License-Identifier: Apache-2.0

// Command kubectl-tenama is a kubectl plugin for namespaces that delete themselves.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // show the user's time zone on systems without a database

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/internal/cli"
)

func main() {
	// Turn SIGPIPE into a write error, so that a closed stdout does not stop the
	// command halfway. Do not ignore it: child processes would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal kills the plugin
	code := cli.Run(ctx, os.Args, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	os.Exit(code)
}
