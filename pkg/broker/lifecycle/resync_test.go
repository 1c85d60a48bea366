// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

type inspector struct {
	names []string
	seen  map[string]int
	last  time.Time
	least time.Duration // between two looks
}

func (k *inspector) Names() []string { return k.names }

func (k *inspector) Inspect(_ context.Context, name string) error {
	if !k.last.IsZero() && (k.least == 0 || time.Since(k.last) < k.least) {
		k.least = time.Since(k.last)
	}
	k.last = time.Now()
	k.seen[name]++
	return errors.New("one that fails must not end the walk")
}

// Every namespace is looked at once a period, or as often as the pace allows;
// never in a burst.
func TestResync(t *testing.T) {
	for _, c := range []struct {
		namespaces int
		rounds     int // in an hour, at least
	}{{0, 0}, {1, 9}, {10, 9}, {2000, 9}, {10000, 3}} {
		t.Run(fmt.Sprint(c.namespaces), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &inspector{seen: map[string]int{}}
				for i := range c.namespaces {
					k.names = append(k.names, fmt.Sprintf("tmp-%d", i))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				Resync(ctx, k, 5*time.Minute, slog.New(slog.DiscardHandler))
				for _, name := range k.names {
					if n := k.seen[name]; n < c.rounds || n > 13 {
						t.Fatalf("%s was looked at %d times in an hour, want %d to 13", name, n, c.rounds)
					}
				}
				if c.namespaces > 1 && k.least < resyncPause {
					t.Errorf("two looks within %s", k.least)
				}
			})
		})
	}
}
