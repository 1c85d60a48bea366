// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// quarantine is how long the name of a deleted namespace is not given to another
// owner. kube-apiserver caches the authentication of a ServiceAccount's
// token for ten seconds; such a token would open a namespace of the same name.
const quarantine = 15 * time.Second

// tombstone records the last owner of a deleted name.
type tombstone struct {
	uid   types.UID
	owner string // LabelOwner
	at    time.Time
}

func (ws *waiters) addTombstone(ns *corev1.Namespace) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	now := time.Now()
	ws.tombstones[ns.Name] = tombstone{ns.UID, ns.Labels[v1alpha1.LabelOwner], now}
	if now.Sub(ws.swept) <= quarantine {
		return
	}
	ws.swept = now
	for name, t := range ws.tombstones {
		if now.Sub(t.at) > quarantine {
			delete(ws.tombstones, name)
		}
	}
}

// Quarantined returns how long a name is still unavailable to an owner, given by
// LabelOwner: zero if the name is free or was last used by that owner.
func (c *Cache) Quarantined(name, owner string) time.Duration {
	c.waiters.mu.Lock()
	defer c.waiters.mu.Unlock()
	t, ok := c.waiters.tombstones[name]
	if !ok || t.owner == owner {
		return 0
	}
	return max(0, quarantine-time.Since(t.at))
}
