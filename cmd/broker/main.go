// SPDX-License-Identifier: Apache-2.0

// Command broker is the in-cluster part of tenama: it alone may create namespaces, and
// it can modify only those that it created.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"

	"tenama.dev/tenama/internal/version"
	"tenama.dev/tenama/pkg/broker"
	"tenama.dev/tenama/pkg/forwarder"
)

func main() {
	o := broker.NewOptions()
	flags := pflag.NewFlagSet("broker", pflag.ContinueOnError)
	o.AddFlags(flags)
	guard := flags.Bool("guard", false, "do not serve; delete the APIService if no broker has answered for 15 s, "+
		"because it blocks the deletion of every namespace")
	stopAll := flags.Bool("stop-brokers", false,
		"do not serve; scale the brokers to 0, wait until their API is gone, and exit")
	forward := flags.String("forward", "", "do not serve; send messages about namespaces to the webhooks in this file")
	try := flags.Bool("try-create", false, "do not serve; create a namespace by dry run, and exit")
	show := flags.Bool("version", false, "print the version and exit")
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(2)
	case *show:
		fmt.Println(version.Get().Version)
		return
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	klog.SetSlogLogger(log)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := broker.Run
	switch {
	case *guard:
		run = broker.Guard
	case *stopAll:
		run = broker.Stop
	case *try:
		run = broker.TryCreate
	case *forward != "":
		run = func(ctx context.Context, o *broker.Options, log *slog.Logger) error {
			return forwarder.Run(ctx, forwarder.Options{Kubeconfig: o.Kubeconfig, Namespace: o.Namespace,
				Config: *forward, MetricsAddress: o.MetricsAddress}, log)
		}
	}
	if err := run(ctx, o, log); err != nil {
		log.Error("Failed", "err", err)
		os.Exit(1)
	}
}
