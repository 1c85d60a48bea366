// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// A client that watches and does not read must not make the broker hold megabytes for it.
func TestReceiveWindow(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for b := make([]byte, 4<<10); sent.Load() < 16<<20; sent.Add(int64(len(b))) {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	config := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := withReceiveWindow(transport); err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("the protocol is %s", resp.Proto)
	}
	for before := int64(-1); before != sent.Load(); { // until the server has to wait
		before = sent.Load()
		time.Sleep(300 * time.Millisecond)
	}
	if n := sent.Load(); n > 4*receiveWindow {
		t.Errorf("%d KiB were sent before any was read", n>>10)
	}
}
