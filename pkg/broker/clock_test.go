// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"
	"testing/synctest"
	"time"
)

// A namespace must not expire early because a clock jumps ahead, nor live longer
// because the clock of the broker's node is wrong.
func TestServerClock(t *testing.T) {
	const skew = 5 * time.Minute
	for name, c := range map[string]struct {
		read func(c *serverClock, respond func(ahead time.Duration))
		want time.Duration // ahead of the local time
	}{
		"no response yet": {func(*serverClock, func(time.Duration)) {}, 0},
		"the local clock is behind": {func(_ *serverClock, respond func(time.Duration)) {
			respond(skew)
		}, skew},
		"the local clock is ahead": {func(_ *serverClock, respond func(time.Duration)) {
			respond(-skew)
		}, -skew},
		"no response for an hour": {func(_ *serverClock, respond func(time.Duration)) {
			respond(skew)
			time.Sleep(time.Hour)
		}, skew},
		"the server's clock jumps ahead": {func(_ *serverClock, respond func(time.Duration)) {
			respond(0)
			time.Sleep(2 * time.Minute)
			respond(time.Hour)
		}, 0},
		"the server's clock was corrected": {func(_ *serverClock, respond func(time.Duration)) {
			respond(0)
			for range 6 {
				time.Sleep(time.Minute)
				respond(time.Hour)
			}
		}, time.Hour},
		"the server's clock jumps back": {func(_ *serverClock, respond func(time.Duration)) {
			respond(0)
			time.Sleep(2 * time.Minute)
			respond(-time.Hour)
		}, -time.Hour},
		"one of two servers is ahead": {func(_ *serverClock, respond func(time.Duration)) {
			for i := range 60 {
				time.Sleep(20 * time.Second)
				respond(time.Duration(i/3%2) * time.Hour)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(300 * time.Millisecond) // headers have whole seconds
				clock := newServerClock()
				c.read(clock, func(ahead time.Duration) {
					for range 4 {
						clock.read(time.Now().Add(ahead).Truncate(time.Second))
						time.Sleep(150 * time.Millisecond)
					}
				})
				if got := clock.Now().Sub(time.Now()); got > c.want || got < c.want-time.Second {
					t.Errorf("the clock is %s ahead of the local one, want %s and at most a second less", got, c.want)
				}
			})
		})
	}
}
