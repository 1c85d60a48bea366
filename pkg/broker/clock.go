// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"sync/atomic"
	"time"
)

// serverClock reads kube-apiserver's time from its responses. Between responses it
// advances with the monotonic clock, which corrections of the system time do not
// affect.
type serverClock struct {
	http.RoundTripper
	last *atomic.Pointer[reading]
}

// reading is a time of kube-apiserver's clock, and the local time of its receipt.
type reading struct {
	server time.Time
	at     time.Time
}

func (c serverClock) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		if server, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			c.last.Store(&reading{server, time.Now()})
		}
	}
	return resp, err
}

// now returns kube-apiserver's time, to a second or so; zero if it is unknown.
func (c serverClock) now() time.Time {
	l := c.last.Load()
	if l == nil {
		return time.Time{}
	}
	return l.server.Add(time.Since(l.at))
}
