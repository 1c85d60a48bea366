// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// waiters tracks callers that wait for a resourceVersion of a namespace, and the
// last owner of recently deleted names.
type waiters struct {
	mu         sync.Mutex
	byName     map[string][]*waiter
	tombstones map[string]tombstone
	swept      time.Time // when expired tombstones were last removed
}

// waiter waits until the cache shows one namespace at a resourceVersion or later.
type waiter struct {
	resourceVersion string
	done            chan struct{}
}

func newWaiters() waiters {
	return waiters{byName: map[string][]*waiter{}, tombstones: map[string]tombstone{}}
}

// Wait returns once the cache has shown ns at its resourceVersion or later, or
// its deletion. Its only error is that of ctx.
func (c *Cache) Wait(ctx context.Context, ns *corev1.Namespace) error {
	w := &waiter{ns.ResourceVersion, make(chan struct{})}
	if !c.register(ns, w) {
		return nil
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		c.waiters.remove(ns.Name, func(other *waiter) bool { return other == w })
		return ctx.Err()
	}
}

// register adds w, and reports whether there is anything to wait for.
func (c *Cache) register(ns *corev1.Namespace, w *waiter) bool {
	c.waiters.mu.Lock()
	defer c.waiters.mu.Unlock()
	if now := c.Get(ns.Name); now != nil && atLeast(now.ResourceVersion, w.resourceVersion) {
		return false
	}
	if t, ok := c.waiters.tombstones[ns.Name]; ok && t.uid == ns.UID {
		return false
	}
	c.waiters.byName[ns.Name] = append(c.waiters.byName[ns.Name], w)
	return true
}

// onUpdate releases the callers that wait for this version of ns or an earlier one.
func (ws *waiters) onUpdate(ns *corev1.Namespace) {
	ws.remove(ns.Name, func(w *waiter) bool {
		reached := atLeast(ns.ResourceVersion, w.resourceVersion)
		if reached {
			close(w.done)
		}
		return reached
	})
}

// onDelete records the tombstone of ns and releases all callers that wait for it:
// no further version will come, and they read again.
func (ws *waiters) onDelete(ns *corev1.Namespace) {
	ws.addTombstone(ns)
	ws.remove(ns.Name, func(w *waiter) bool { close(w.done); return true })
}

func (ws *waiters) remove(name string, match func(*waiter) bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if left := slices.DeleteFunc(ws.byName[name], match); len(left) > 0 {
		ws.byName[name] = left
	} else {
		delete(ws.byName, name)
	}
}

// atLeast reports whether resourceVersion a is b or later (KEP-5504). A version
// that is not well formed is older than any other.
func atLeast(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order >= 0
}
