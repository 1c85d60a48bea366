// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// Egress is the proxy through which a kube-apiserver connects to aggregated API servers, as
// konnectivity is on many managed clusters. It can be cut.
type Egress struct {
	// Flag tells kube-apiserver to use it.
	Flag string

	server *http.Server
	mu     sync.Mutex
	cut    bool
	conns  map[net.Conn]bool
}

// StartEgress starts a proxy, with its files in a directory.
func StartEgress(dir string) (*Egress, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	socket, config := filepath.Join(dir, "egress.sock"), filepath.Join(dir, "egress.yaml")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection: {proxyProtocol: HTTPConnect, transport: {uds: {udsName: %q}}}
`, socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		l.Close()
		return nil, err
	}
	e := &Egress{Flag: "--egress-selector-config-file=" + config, conns: map[net.Conn]bool{}}
	e.server = &http.Server{Handler: http.HandlerFunc(e.connect)}
	go func() { _ = e.server.Serve(l) }()
	return e, nil
}

// Cut ends all connections, and refuses new ones, until it is called with false.
func (e *Egress) Cut(cut bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut = cut
	for c := range e.conns {
		if cut {
			c.Close()
		}
	}
}

// Close ends the proxy.
func (e *Egress) Close() {
	e.Cut(true)
	_ = e.server.Close()
}

// connect answers a CONNECT request.
func (e *Egress) connect(w http.ResponseWriter, r *http.Request) {
	var to net.Conn
	err := errors.New("cut")
	if !e.isCut() && r.Method == http.MethodConnect {
		to, err = net.Dial("tcp", r.Host)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	if !e.add(from) {
		return
	}
	defer e.remove(from)
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(to, buffered); done <- struct{}{} }()
	go func() { _, _ = io.Copy(from, to); done <- struct{}{} }()
	<-done
}

func (e *Egress) isCut() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cut
}

// add reports whether the connection may be used.
func (e *Egress) add(c net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns[c] = true
	return !e.cut
}

func (e *Egress) remove(c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
}
