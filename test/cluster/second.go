// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// runSecond runs a second kube-apiserver on the etcd of a running control plane, as in
// a cluster with several. Once it is ready, it prints:
//
//	ready https://127.0.0.1:PORT DIR SECONDS
func runSecond() int {
	o := options{profile: noNodes}
	fs := flag.NewFlagSet("second", flag.ContinueOnError)
	fs.StringVar(&o.dir, "dir", "", "data directory of the control plane")
	fs.Var(&o.apiserver, "apiserver-flag", "a further flag for kube-apiserver; may be repeated")
	nodeFlag(fs, &o)
	if err := fs.Parse(os.Args[1:]); err != nil {
		return 2
	}
	if err := second(o); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}

func second(o options) error {
	began := time.Now()
	stop := stopSignals(true)
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	own := filepath.Join(dir, "second")
	if err := os.MkdirAll(own, 0o700); err != nil {
		return err
	}
	at, err := port(own, o.profile.address)
	if err != nil {
		return err
	}
	etcd, err := socketPath(dir, "etcd.sock")
	if err != nil {
		return err
	}
	flags := append(apiserverFlags(dir, "unix://"+etcd, o.profile, at),
		"--endpoint-reconciler-type=none") // the endpoint of Service kubernetes is the first one
	api, err := start(own, "kube-apiserver", append(flags, o.apiserver...)...)
	if err != nil {
		return err
	}
	defer api.stop()
	server := fmt.Sprintf("https://%s:%d", o.profile.address, at)
	if err := remember(own, server); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- waitReady(ctx, filepath.Join(dir, "admin.kubeconfig"), server) }()
	for {
		select {
		case err := <-ready:
			if err != nil {
				return err
			}
			fmt.Printf("ready %s %s %.1f\n", server, own, time.Since(began).Seconds())
		case <-stop:
			return nil
		case <-api.done:
			return errors.Join(errors.New("the second kube-apiserver"), api.ended())
		}
	}
}
