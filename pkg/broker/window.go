// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// receiveWindow is how much of a response kube-apiserver may send before the broker reads
// it. Go's default is 4 MiB, which each watch of a client that does not read would occupy;
// less than 64 KiB is not possible (net/http.HTTP2Config).
const receiveWindow = 64 << 10

// withReceiveWindow sets the window of a transport of client-go, which has no option for it.
// The transport must not be in use yet.
func withReceiveWindow(rt http.RoundTripper) error {
	for next := rt; ; {
		switch t := next.(type) {
		case *http.Transport:
			t.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: receiveWindow}
			return nil
		case utilnet.RoundTripperWrapper:
			next = t.WrappedRoundTripper()
		default:
			return fmt.Errorf("bound what is received: no http.Transport in %T", rt)
		}
	}
}
