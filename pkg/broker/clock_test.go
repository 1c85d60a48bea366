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
		"slow responses": {func(c *serverClock, respond func(time.Duration)) {
			respond(skew)
			sent := time.Since(c.start)
			server := time.Now().Add(skew).Truncate(time.Second)
			time.Sleep(20 * time.Second)
			c.read(server, sent)
		}, skew},
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
					for range 6 {
						sent := time.Since(clock.start)
						time.Sleep(50 * time.Millisecond)
						server := time.Now().Add(ahead).Truncate(time.Second)
						time.Sleep(50 * time.Millisecond)
						clock.read(server, sent)
						time.Sleep(170 * time.Millisecond)
					}
				})
				// While servers disagree, the clock is up to a second late.
				if got := time.Until(clock.Now()); got > c.want || got < c.want-1100*time.Millisecond {
					t.Errorf("the clock is %s ahead of the local one, want %s and at most 1.1 s less", got, c.want)
				}
			})
		})
	}
}
