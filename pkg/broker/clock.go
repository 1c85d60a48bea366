// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"sync"
	"time"
)

// clockMinutes is for how many minutes a clock of kube-apiserver that is ahead is not
// believed.
const clockMinutes = 5

// serverClock is the clock of kube-apiserver, which decides when a namespace expires. It
// reads the Date header of responses, and advances with the monotonic clock between them,
// so the local time, which may be wrong or be corrected, does not matter.
//
// A clock that jumps ahead, or one of several kube-apiservers with a wrong clock, must
// not make namespaces expire early. So the clock shows the earliest of the times that
// follow from the readings of the last minutes. A header has whole seconds: the clock is
// up to a second late, and not early.
type serverClock struct {
	start time.Time // local, of the first use

	mu      sync.Mutex
	minutes [clockMinutes]reading
}

// reading is the earliest time that follows from the responses of one minute.
type reading struct {
	minute int64     // since start
	zero   time.Time // the server's time at start; zero: there was no response
}

// newServerClock returns a clock that does not know the time yet.
func newServerClock() *serverClock { return &serverClock{start: time.Now()} }

// Wrap returns a RoundTripper that reads the time from the responses of next.
func (c *serverClock) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil {
			if server, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
				c.read(server)
			}
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// read records the time of a response.
func (c *serverClock) read(server time.Time) {
	elapsed := time.Since(c.start)
	now := reading{int64(elapsed / time.Minute), server.Add(-elapsed)}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := &c.minutes[now.minute%clockMinutes]
	if last.zero.IsZero() || last.minute != now.minute || now.zero.Before(last.zero) {
		*last = now
	}
}

// Now returns the time of kube-apiserver; the local time before its first response.
func (c *serverClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var newest int64
	for _, r := range c.minutes {
		newest = max(newest, r.minute)
	}
	var zero time.Time
	for _, r := range c.minutes {
		if !r.zero.IsZero() && r.minute > newest-clockMinutes && (zero.IsZero() || r.zero.Before(zero)) {
			zero = r.zero
		}
	}
	if zero.IsZero() {
		return time.Now()
	}
	return zero.Add(time.Since(c.start))
}
