// SPDX-License-Identifier: Apache-2.0

// Command probe is the program in the containers of the tests on a node, and the server
// outside the cluster.
//
//	probe serve ADDRESS...   answer HTTP requests with the name of the host and the client's address
//	probe dial HOST:PORT     send such a request, print the answer
//	probe resolve NAME       print the addresses of a name
//	probe pause              wait, as the process that holds the namespaces of a pod
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// patience is long for a network within one machine, but a busy machine answers late.
const patience = 10 * time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: probe serve|dial|resolve|pause [ARGUMENT]...")
		os.Exit(2)
	}
	args, err := os.Args[2:], error(nil)
	switch command := os.Args[1]; {
	case command == "serve":
		err = serve(args)
	case command == "dial" && len(args) == 1:
		err = dial(args[0])
	case command == "resolve" && len(args) == 1:
		err = resolve(args[0])
	case command == "pause":
		pause()
	default:
		err = fmt.Errorf("unknown command %s with %d arguments", command, len(args))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func serve(addresses []string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	ended := make(chan error)
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		fmt.Println("serving on", l.Addr())
		go func() {
			ended <- http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s saw %s\n", host, r.RemoteAddr)
				fmt.Println(r.Method, r.URL.Path, "from", r.RemoteAddr)
			}))
		}()
	}
	return <-ended
}

func dial(address string) error {
	client := http.Client{Timeout: patience, Transport: &http.Transport{Proxy: nil}}
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

func resolve(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err == nil {
		fmt.Println(strings.Join(addresses, " "))
	}
	return err
}

// pause ends the processes whose parent has ended, and waits for a signal.
func pause() {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range c {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
