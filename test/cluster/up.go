// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// options are the flags of `cluster up`.
type options struct {
	dir       string
	port      int
	lifeline  bool
	detach    bool
	apiserver flagList
	profile   profile
}

// nodeFlag adds the flag for a control plane with a node, if the binary was built for it.
var nodeFlag = func(*flag.FlagSet, *options) {}

// flagList is a flag that may be given several times.
type flagList []string

func (l *flagList) String() string     { return strings.Join(*l, " ") }
func (l *flagList) Set(s string) error { *l = append(*l, s); return nil }

func runUp() int {
	o := options{profile: noNodes}
	fs := flag.NewFlagSet("up", flag.ContinueOnError)
	fs.StringVar(&o.dir, "dir", "", "data directory, created if absent")
	fs.IntVar(&o.port, "port", 0, "port to serve on; 0 takes a free one")
	fs.BoolVar(&o.lifeline, "lifeline", false,
		"stop when standard input ends, so that no death of the caller leaves anything running")
	fs.BoolVar(&o.detach, "detach", false, "return once it is ready and keep running; end it with down")
	fs.Var(&o.apiserver, "apiserver-flag", "a further flag for kube-apiserver; may be repeated")
	nodeFlag(fs, &o)
	if err := fs.Parse(os.Args[1:]); err != nil {
		return 2
	}
	run := up
	if o.detach {
		run = detach
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}

// up runs a control plane until a signal, the end of the lifeline, or the death of a
// component. It prints one line once /readyz answers:
//
//	ready https://127.0.0.1:PORT DIR SECONDS
func up(o options) error {
	began := time.Now()
	stop := stopSignals(o.lifeline)
	if o.dir == "" {
		return errors.New("--dir is required")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()

	addr := o.profile.address
	if o.port == 0 {
		if o.port, err = port(dir, addr); err != nil {
			return err
		}
	}
	server := "https://" + net.JoinHostPort(addr, strconv.Itoa(o.port))
	hosts := []string{
		addr, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		strings.Replace(o.profile.services, "0/16", "1", 1),
	}
	if err := writeIdentities(dir, server, hosts, o.profile.users); err != nil {
		return err
	}
	etcd, etcdURL, err := startEtcd(dir)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	defer etcd.Close()
	api, err := start(dir, "kube-apiserver", append(apiserverFlags(dir, etcdURL, o.profile, o.port), o.apiserver...)...)
	if err != nil {
		return err
	}
	defer api.stop()
	// It waits for kube-apiserver.
	controllers, err := start(dir, "kube-controller-manager", controllerManagerFlags(dir, o.profile)...)
	if err != nil {
		return err
	}
	defer func() { controllers.stop() }()

	ready := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	go func() { ready <- waitReady(ctx, filepath.Join(dir, "admin.kubeconfig"), server) }()
	for serving, early := false, true; ; {
		select {
		case err := <-ready:
			if err != nil {
				return err
			}
			serving = true
			fmt.Printf("ready %s %s %.1f\n", server, dir, time.Since(began).Seconds())
		case <-stop:
			return nil
		case <-api.done:
			return api.ended()
		case <-controllers.done:
			// kube-controller-manager waits only ten seconds for kube-apiserver and
			// then exits, which is not enough on a busy machine.
			if !early || ctx.Err() != nil {
				return controllers.ended()
			}
			early = !serving
			if controllers, err = start(dir, "kube-controller-manager", controllerManagerFlags(dir, o.profile)...); err != nil {
				return err
			}
		}
	}
}

// stopSignals returns a channel that receives SIGINT and SIGTERM. With a lifeline it
// also receives SIGTERM when standard input ends, for example because the caller died.
func stopSignals(lifeline bool) <-chan os.Signal {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	if lifeline {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop <- syscall.SIGTERM
		}()
	}
	return stop
}

// port returns the port that dir was created for, or else a free one.
func port(dir, addr string) (int, error) {
	if b, err := os.ReadFile(filepath.Join(dir, "pki", "server")); err == nil {
		if _, p, err := net.SplitHostPort(strings.TrimPrefix(string(b), "https://")); err == nil {
			return strconv.Atoi(p)
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// remember records the URL that dir was created for, for port.
func remember(dir, server string) error {
	if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "pki", "server"), []byte(server), 0o600)
}

func waitReady(ctx context.Context, kubeconfig, server string) error {
	cfg, err := clientcmd.BuildConfigFromFlags(server, kubeconfig)
	if err != nil {
		return err
	}
	c, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return err
	}
	c.Timeout = 2 * time.Second
	for {
		if resp, err := c.Get(cfg.Host + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("kube-apiserver was not ready within five minutes: see kube-apiserver.log in the data directory")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
