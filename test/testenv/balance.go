// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// Replicas runs several brokers behind one Service and distributes the connections of
// kube-apiserver among them, as kube-proxy would do on a real cluster.
type Replicas struct {
	Brokers []*Broker

	cluster *Cluster
	port    int
	flags   func(i int) []string
	next    atomic.Uint64
	l       net.Listener

	mu   sync.Mutex // guards dead
	dead map[int]bool
}

// StartReplicas runs n brokers, each with its own flags, and returns once
// kube-apiserver serves their API. Replica i listens on the Service port plus 1 plus i.
func (c *Cluster) StartReplicas(ctx context.Context, port, n int, flags func(i int) []string) (*Replicas, error) {
	r := &Replicas{cluster: c, port: port, flags: flags, dead: map[int]bool{}}
	var err error
	if r.l, err = net.Listen("tcp", net.JoinHostPort(clusterIP, strconv.Itoa(port))); err != nil {
		return nil, err
	}
	go r.accept()
	r.Brokers = make([]*Broker, n)
	for i := range n {
		if err := r.Start(ctx, i); err != nil {
			r.Stop()
			return nil, err
		}
	}
	for _, b := range r.Brokers {
		if err := c.WaitServed(ctx, b); err != nil {
			r.Stop()
			return nil, err
		}
	}
	return r, nil
}

// Start runs replica i, which either has not run yet or was killed.
func (r *Replicas) Start(ctx context.Context, i int) error {
	flags := []string{fmt.Sprintf("--secure-port=%d", r.Port(i))}
	if r.flags != nil {
		flags = append(flags, r.flags(i)...)
	}
	b, err := r.cluster.LaunchBroker(ctx, r.port, fmt.Sprintf("broker-%d", i), flags...)
	if err != nil {
		return err
	}
	r.Brokers[i] = b
	r.mu.Lock()
	delete(r.dead, i)
	r.mu.Unlock()
	var pods []string
	for _, b := range r.Brokers {
		if b != nil {
			pods = append(pods, b.Pod)
		}
	}
	return r.cluster.Endpoints(ctx, r.port, pods...)
}

// Use sets the program of the replicas that are started from now on.
func (r *Replicas) Use(program string) { r.cluster.Broker = program }

// Port returns the port on which replica i listens.
func (r *Replicas) Port(i int) int { return r.port + 1 + i }

// Direct is like the function of the same name, for replica i.
func (r *Replicas) Direct(i int, certPEM, keyPEM []byte, user string, groups ...string) *rest.Config {
	return Direct(r.Port(i), certPEM, keyPEM, user, groups...)
}

// Direct returns a configuration that connects to a broker as kube-apiserver does on
// behalf of a user: with the certificate of the front proxy.
func Direct(port int, certPEM, keyPEM []byte, user string, groups ...string) *rest.Config {
	return &rest.Config{
		Host: "https://" + net.JoinHostPort(clusterIP, strconv.Itoa(port)),
		// Callers test which clients the broker trusts, not its certificate.
		TLSClientConfig: rest.TLSClientConfig{Insecure: true, CertData: certPEM, KeyData: keyPEM},
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				req.Header.Set("X-Remote-User", user)
				for _, g := range groups {
					req.Header.Add("X-Remote-Group", g)
				}
				return next.RoundTrip(req)
			})
		},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Kill ends replica i at once.
func (r *Replicas) Kill(i int) {
	r.mu.Lock()
	r.dead[i] = true
	r.mu.Unlock()
	r.Brokers[i].Kill()
}

// Stop ends all replicas and the load balancer.
func (r *Replicas) Stop() {
	_ = r.l.Close()
	for _, b := range r.Brokers {
		if b != nil {
			b.Kill()
		}
	}
}

func (r *Replicas) accept() {
	for {
		conn, err := r.l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for range 2 * len(r.Brokers) {
				i := int(r.next.Add(1)) % len(r.Brokers)
				r.mu.Lock()
				dead := r.dead[i]
				r.mu.Unlock()
				if dead {
					continue
				}
				to, err := net.DialTimeout("tcp", net.JoinHostPort(clusterIP, strconv.Itoa(r.Port(i))), time.Second)
				if err != nil {
					continue
				}
				defer to.Close()
				done := make(chan struct{}, 2)
				for _, pair := range [][2]net.Conn{{to, conn}, {conn, to}} {
					go func() { _, _ = io.Copy(pair[0], pair[1]); done <- struct{}{} }()
				}
				<-done // either direction ended
				return
			}
		}()
	}
}
