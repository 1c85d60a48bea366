// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"sync/atomic"
	"time"
)

// serverClock learns kube-apiserver's time from its answers. Between them it
// goes on by the monotonic clock, which no correction of the system's time
// moves.
type serverClock struct {
	http.RoundTripper
	last *atomic.Pointer[reading]
}

// reading is what kube-apiserver's clock showed, and when that was by ours.
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

// now is kube-apiserver's time, to a second or so; zero if it is not known.
func (c serverClock) now() time.Time {
	l := c.last.Load()
	if l == nil {
		return time.Time{}
	}
	return l.server.Add(time.Since(l.at))
}
