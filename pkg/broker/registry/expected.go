// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// quarantine keeps the name of a namespace that is gone from other owners: a
// token of its ServiceAccounts may stay valid in kube-apiserver's cache for
// ten seconds more, and would open a namespace of the same name.
const quarantine = 15 * time.Second

// expected is who waits for a version of a namespace, and who had a name last.
type expected struct {
	lock    sync.Mutex // guards all
	waiters map[string][]*waiter
	gone    map[string]grave
	swept   time.Time
}

// waiter waits until the cache shows a version of one namespace.
type waiter struct {
	atLeast uint64 // resourceVersion
	done    chan struct{}
}

// grave remembers who had a name last.
type grave struct {
	uid   types.UID
	owner string // LabelOwner
	at    time.Time
}

func newExpected() expected {
	return expected{waiters: map[string][]*waiter{}, gone: map[string]grave{}}
}

// arrived lets those go on who wait for ns, or an earlier version of it.
func (e *expected) arrived(ns *corev1.Namespace) {
	v := version(ns.ResourceVersion)
	e.lock.Lock()
	defer e.lock.Unlock()
	left := e.waiters[ns.Name][:0]
	for _, w := range e.waiters[ns.Name] {
		if w.atLeast <= v {
			close(w.done)
		} else {
			left = append(left, w)
		}
	}
	if len(left) == 0 {
		delete(e.waiters, ns.Name)
	} else {
		e.waiters[ns.Name] = left
	}
}

// left remembers whose the name was, and lets those go on who wait for it: it
// will not come any more, and they read again.
func (e *expected) left(ns *corev1.Namespace) {
	e.lock.Lock()
	defer e.lock.Unlock()
	now := time.Now()
	e.gone[ns.Name] = grave{ns.UID, ns.Labels[v1alpha1.LabelOwner], now}
	if now.Sub(e.swept) > quarantine {
		e.swept = now
		for name, g := range e.gone {
			if now.Sub(g.at) > quarantine {
				delete(e.gone, name)
			}
		}
	}
	for _, w := range e.waiters[ns.Name] {
		close(w.done)
	}
	delete(e.waiters, ns.Name)
}

// quarantined returns for how long an owner, by LabelOwner, must not have the name
// yet.
func (e *expected) quarantined(name, owner string) time.Duration {
	e.lock.Lock()
	defer e.lock.Unlock()
	g, ok := e.gone[name]
	if !ok || g.owner == owner {
		return 0
	}
	return max(0, quarantine-time.Since(g.at))
}

// wait returns once the cache has shown ns, or a later version of it.
func (c *Cache) wait(ctx context.Context, ns *corev1.Namespace) error {
	w := &waiter{atLeast: version(ns.ResourceVersion), done: make(chan struct{})}
	c.lock.Lock()
	if now := c.get(ns.Name); now != nil && version(now.ResourceVersion) >= w.atLeast {
		c.lock.Unlock()
		return nil
	}
	if g, ok := c.gone[ns.Name]; ok && g.uid == ns.UID { // it has come and gone
		c.lock.Unlock()
		return nil
	}
	c.waiters[ns.Name] = append(c.waiters[ns.Name], w)
	c.lock.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		c.lock.Lock()
		defer c.lock.Unlock()
		c.waiters[ns.Name] = slices.DeleteFunc(c.waiters[ns.Name], func(other *waiter) bool { return other == w })
		if len(c.waiters[ns.Name]) == 0 {
			delete(c.waiters, ns.Name)
		}
		return ctx.Err()
	}
}
