// SPDX-License-Identifier: Apache-2.0

// Command demo shows the main use on a real control plane: create a namespace, work in
// it, extend it, let another one expire, verify that other users have no access, and
// delete it. It stops at the first step that fails.
//
//	demo [-cluster current [-image NAME:TAG]]    in the root of the project
//
// By default it starts a control plane. With -cluster current, it uses the cluster of the
// current context, installs tenama there unless it is installed, and removes it again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	where := flag.String("cluster", "", `"current": the cluster of the current context (default: a new control plane)`)
	image := flag.String("image", "", "with -cluster current: an image of the broker that the nodes can pull "+
		"(default: bin/tenama-broker.tar is loaded into the nodes)")
	flag.Parse()
	var err error
	switch *where {
	case "":
		err = onControlPlane(ctx, os.Getenv("KEEP") == "1")
	case "current":
		err = onCurrent(ctx, *image)
	default:
		err = fmt.Errorf("-cluster %q: use current, or leave it out", *where)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
