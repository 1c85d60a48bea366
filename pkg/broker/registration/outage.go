// SPDX-License-Identifier: Apache-2.0

package registration

import "time"

// settled is how long the APIService has to be available before earlier failures no longer
// count. With several kube-apiservers of which one cannot reach the broker, each writes what
// it sees, and the condition changes every few seconds.
const settled = time.Minute

// outage sums up for how long the APIService was unavailable, since it was last available for
// longer than settled. The zero value is available.
type outage struct {
	total time.Duration // up to seen
	seen  time.Time
	down  bool      // when seen
	since time.Time // when it became available; zero if it is not
}

// observe records the state at a time, and returns how long the outage has lasted.
func (o *outage) observe(down bool, now time.Time) time.Duration {
	if o.down {
		o.total += now.Sub(o.seen)
	}
	switch {
	case down:
		if !o.since.IsZero() && now.Sub(o.since) >= settled {
			o.total = 0
		}
		o.since = time.Time{}
	case o.since.IsZero():
		o.since = now
	case now.Sub(o.since) >= settled:
		o.total = 0
	}
	o.down, o.seen = down, now
	return o.total
}
