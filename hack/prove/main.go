// SPDX-License-Identifier: Apache-2.0

// Command prove demonstrates on a real control plane that tenama's guarantees hold
// under attack.
//
//	prove contained         the broker and its tenants are contained
//	prove limits [FLAGS]    budgets are never exceeded, even under load
//	prove memory [FLAGS]    the broker needs no more memory than its pod has
//	prove outage [FLAGS]    nothing is lost in two dozen faults
//	prove soak [FLAGS]      nor in a long time with faults at random
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // replicas are killed: connections break
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "contained":
		err = contained(ctx)
	case len(args) > 0 && args[0] == "limits":
		err = limits(ctx, args[1:])
	case len(args) > 0 && args[0] == "outage":
		err = outages(ctx, args[1:])
	case len(args) > 0 && args[0] == "soak":
		err = soak(ctx, args[1:])
	case len(args) > 0 && args[0] == "memory":
		err = memory(ctx, args[1:])
	default:
		err = fmt.Errorf("usage: prove contained|limits|memory|outage|soak")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}
