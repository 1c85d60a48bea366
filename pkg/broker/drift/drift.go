// SPDX-License-Identifier: Apache-2.0

// Package drift walks past every namespace, again and again, at a pace that
// costs kube-apiserver little, and has each looked at.
//
// To be told of changes instead, the broker would have to watch the guard rails
// of all namespaces of the cluster, its own and everybody else's: RBAC knows no
// selectors. A right less is worth some minutes.
package drift

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// fastest is the least time between two looks, however many there are to do.
const fastest = 100 * time.Millisecond

// Keeper looks after one namespace.
type Keeper interface {
	// Names lists all that are to be looked at, now.
	Names() []string
	// Inspect looks at one of them and mends what it finds.
	Inspect(ctx context.Context, name string) error
}

// Walk has every namespace inspected about once in each period, until ctx is
// done.
func Walk(ctx context.Context, k Keeper, period time.Duration, log *slog.Logger) {
	if !sleep(ctx, rand.N(period/4+1)) { // replicas that start together walk apart
		return
	}
	for {
		begun := time.Now()
		names := k.Names()
		for _, name := range names {
			if !sleep(ctx, max(fastest, period/time.Duration(len(names)+1))) {
				return
			}
			if err := k.Inspect(ctx, name); err != nil && ctx.Err() == nil {
				log.Warn("Inspecting a namespace failed; it is looked at again in the next round", "namespace", name, "err", err)
			}
		}
		if !sleep(ctx, max(fastest, period-time.Since(begun))) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
