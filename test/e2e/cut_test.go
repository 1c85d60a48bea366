// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// wire forwards TCP connections to an address, until they are cut.
type wire struct {
	to string
	l  net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: to, l: l}
	t.Cleanup(func() { l.Close(); w.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
			go func() { _, _ = io.Copy(out, in); out.Close() }()
		}
	}()
	return w
}

// cut ends all connections at once, as a firewall or a load balancer does.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	w.conns = nil
}

// The connections of the broker to kube-apiserver are cut in the middle of creations. Each
// creation must succeed, if need be when the plugin repeats it.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	server, err := url.Parse(c.Server)
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, server.Host)
	kubeconfig, err := c.BrokerKubeconfig(t.Context(), "https://"+w.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
	alice, admin := as(t, c.Config("alice")), c.Client("admin")
	for i := range 40 {
		if i%2 == 0 { // so that a repetition is not cut again, however slow the machine is
			d := rand.N(150 * time.Millisecond)
			time.AfterFunc(d, w.cut)
		}
		tn := tns(fmt.Sprintf("tmp-cut-%d", i), time.Hour)
		tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: tn.Name}
		made, err := alice.Create(t.Context(), tn, metav1.CreateOptions{})
		if err != nil {
			t.Errorf("creation %d: %v", i, err)
			continue
		}
		if err := complete(t.Context(), admin, made.Name, "alice"); err != nil {
			t.Errorf("creation %d is answered, and %v", i, err)
		}
		if _, err := alice.Delete(t.Context(), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
}
