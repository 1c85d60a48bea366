// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"tenama.dev/tenama/api/v1alpha1"
)

// resyncPause is the least time between two inspections.
const resyncPause = 100 * time.Millisecond

// Inspector compares namespaces with their records.
type Inspector interface {
	// Names returns the namespaces that exist now.
	Names() []string
	// Inspect compares one of them, and restores objects that differ.
	Inspect(ctx context.Context, name string) error
}

// Names returns the namespaces that are complete and not being deleted.
func (m *Manager) Names() []string {
	all := m.Cache.List()
	var names []string
	for _, ns := range all {
		if v1alpha1.IsReady(ns) {
			names = append(names, ns.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Resync inspects every namespace about once in each period, until ctx is done, and
// at most ten a second. RBAC has no label selectors, so a watch of guard rails would
// need read access to those of every namespace of the cluster. Resync avoids that at
// the cost of a few minutes.
func Resync(ctx context.Context, i Inspector, period time.Duration, log *slog.Logger) {
	if !sleep(ctx, rand.N(period/4+1)) { // replicas that start together inspect apart
		return
	}
	for {
		begun := time.Now()
		names := i.Names()
		for _, name := range names {
			if !sleep(ctx, max(resyncPause, period/time.Duration(len(names)+1))) {
				return
			}
			if err := i.Inspect(ctx, name); err != nil && ctx.Err() == nil {
				log.Warn("Inspecting a namespace failed; retrying in the next round", "namespace", name, "err", err)
			}
		}
		if !sleep(ctx, max(resyncPause, period-time.Since(begun))) {
			return
		}
	}
}

// sleep waits for d, and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
