// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"sync"
	"time"
)

// clockMinutes is for how many minutes a clock of kube-apiserver that jumped ahead is not
// believed.
const clockMinutes = 5

// serverClock is the clock of kube-apiserver, which decides when a namespace expires. It
// reads the Date header of responses, and advances with the monotonic clock between them,
// so the local time, which may be wrong or be corrected, does not matter.
//
// A header has whole seconds, and a response takes time, so each response gives a range.
// While the ranges of the last minutes overlap, the clock shows the latest of their lower
// ends, which is exact to some milliseconds, and never early. If they do not, a clock
// jumped, or one of several kube-apiservers has a wrong one. That must not make namespaces
// expire early: the clock then shows the earliest of the lower ends.
type serverClock struct {
	start time.Time // local, of the first use

	mu      sync.Mutex
	minutes [clockMinutes]reading
	last    time.Time // the lower end of the last range, for the server's time at start
}

// reading is what follows from the responses of one minute for the server's time at start:
// the earliest and latest lower end, and the earliest upper end, of their ranges. They are
// zero if there was no response.
type reading struct {
	minute                      int64 // since start
	earliest, latest, notBeyond time.Time
}

// newServerClock returns a clock that does not know the time yet.
func newServerClock() *serverClock { return &serverClock{start: time.Now()} }

// Wrap returns a RoundTripper that reads the time from the responses of next.
func (c *serverClock) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		sent := time.Since(c.start)
		resp, err := next.RoundTrip(r)
		if err == nil {
			if server, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
				c.read(server, sent)
			}
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// read records the time of a response to a request that was sent at a time since start.
func (c *serverClock) read(server time.Time, sent time.Duration) {
	received := time.Since(c.start)
	minute, low, high := int64(received/time.Minute), server.Add(-received), server.Add(time.Second-sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = low
	r := &c.minutes[minute%clockMinutes]
	if r.earliest.IsZero() || r.minute != minute {
		*r = reading{minute, low, low, high}
	}
	r.earliest, r.latest, r.notBeyond = earlier(r.earliest, low), later(r.latest, low), earlier(r.notBeyond, high)
}

// Latest returns the time of kube-apiserver by its last response alone; the local time before
// the first. It is for certificates: after the machine was suspended, or a clock jumped, what
// kube-apiserver thinks now decides.
func (c *serverClock) Latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.IsZero() {
		return time.Now()
	}
	return c.last.Add(time.Since(c.start))
}

// Now returns the time of kube-apiserver; the local time before its first response.
func (c *serverClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var newest int64
	for _, r := range c.minutes {
		newest = max(newest, r.minute)
	}
	var all reading
	for _, r := range c.minutes {
		switch {
		case r.earliest.IsZero() || r.minute <= newest-clockMinutes:
		case all.earliest.IsZero():
			all = r
		default:
			all.earliest, all.latest = earlier(all.earliest, r.earliest), later(all.latest, r.latest)
			all.notBeyond = earlier(all.notBeyond, r.notBeyond)
		}
	}
	switch {
	case all.earliest.IsZero():
		return time.Now()
	case all.latest.After(all.notBeyond):
		return all.earliest.Add(time.Since(c.start))
	}
	return all.latest.Add(time.Since(c.start))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
