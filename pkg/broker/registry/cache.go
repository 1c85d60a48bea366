// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
)

const ownerIndex = "owner"

// quarantine keeps the name of a namespace that is gone from other owners: a
// token of its ServiceAccounts may stay valid in kube-apiserver's cache for
// ten seconds more, and would open a namespace of the same name.
const quarantine = 15 * time.Second

// Cache is the one watch of all managed namespaces. Lists, expiry and the
// moment at which a new namespace may be written to come from it.
type Cache struct {
	informer cache.SharedIndexInformer
	onChange func(*corev1.Namespace)

	mu      sync.Mutex // guards the three below
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
	owner string
	at    time.Time
}

// NewCache returns a cache that calls onChange with each namespace that it sees
// new or changed. Call Start.
func NewCache(client kubernetes.Interface, onChange func(*corev1.Namespace)) (*Cache, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = v1alpha1.LabelManaged + "=true"
	}))
	c := &Cache{informer: factory.Core().V1().Namespaces().Informer(), onChange: onChange, waiters: map[string][]*waiter{}, gone: map[string]grave{}}
	_, err := c.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { c.saw(o.(*corev1.Namespace)) },
		UpdateFunc: func(_, o any) { c.saw(o.(*corev1.Namespace)) },
		DeleteFunc: c.lost,
	})
	return c, errors.Join(err,
		c.informer.SetTransform(func(o any) (any, error) {
			if ns, ok := o.(*corev1.Namespace); ok {
				ns.ManagedFields = nil // the Namespace's own; nobody here reads them, and they are a third of its size
			}
			return o, nil
		}),
		c.informer.AddIndexers(cache.Indexers{ownerIndex: func(o any) ([]string, error) {
			return []string{o.(*corev1.Namespace).Labels[v1alpha1.LabelOwner]}, nil
		}}))
}

// Start follows the cluster until ctx is done, and returns once the cache holds
// all that is there.
func (c *Cache) Start(ctx context.Context) error {
	go c.informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), c.informer.HasSynced) {
		return ctx.Err()
	}
	return nil
}

func (c *Cache) saw(ns *corev1.Namespace) {
	v := version(ns.ResourceVersion)
	c.mu.Lock()
	left := c.waiters[ns.Name][:0]
	for _, w := range c.waiters[ns.Name] {
		if w.atLeast <= v {
			close(w.done)
		} else {
			left = append(left, w)
		}
	}
	if len(left) == 0 {
		delete(c.waiters, ns.Name)
	} else {
		c.waiters[ns.Name] = left
	}
	c.mu.Unlock()
	c.onChange(ns)
}

func (c *Cache) lost(o any) {
	if t, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = t.Obj
	}
	ns, ok := o.(*corev1.Namespace)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.gone[ns.Name] = grave{ns.Annotations[v1alpha1.AnnotationOwner], now}
	if now.Sub(c.swept) > quarantine {
		c.swept = now
		for name, g := range c.gone {
			if now.Sub(g.at) > quarantine {
				delete(c.gone, name)
			}
		}
	}
	for _, w := range c.waiters[ns.Name] {
		close(w.done) // it will not come any more: whoever waits reads again
	}
	delete(c.waiters, ns.Name)
}

// quarantined returns for how long owner must not have the name yet.
func (c *Cache) quarantined(name, owner string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.gone[name]
	if !ok || g.owner == owner {
		return 0
	}
	return max(0, quarantine-time.Since(g.at))
}

// wait returns once the cache has shown ns, or a later version of it.
func (c *Cache) wait(ctx context.Context, ns *corev1.Namespace) error {
	w := &waiter{atLeast: version(ns.ResourceVersion), done: make(chan struct{})}
	c.mu.Lock()
	if now := c.get(ns.Name); now != nil && version(now.ResourceVersion) >= w.atLeast {
		c.mu.Unlock()
		return nil
	}
	c.waiters[ns.Name] = append(c.waiters[ns.Name], w)
	c.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// get returns the namespace as last seen, or nil. It must not be changed.
func (c *Cache) get(name string) *corev1.Namespace {
	o, ok, _ := c.informer.GetStore().GetByKey(name)
	if !ok {
		return nil
	}
	return o.(*corev1.Namespace)
}

// Some returns the names of up to n namespaces with the prefix that are complete
// and alive, others each time.
func (c *Cache) Some(n int, prefix string) []string {
	var out []string
	for _, key := range c.informer.GetStore().ListKeys() { // in the order of a map
		if ns := c.get(key); ns != nil && ns.Annotations[v1alpha1.AnnotationReady] == "true" && ns.DeletionTimestamp == nil && strings.HasPrefix(ns.Name, prefix) {
			if out = append(out, ns.Name); len(out) == n {
				break
			}
		}
	}
	return out
}

// list returns the namespaces of one owner, or all if owner is empty, in no
// order, and the resourceVersion up to which it has seen the cluster.
func (c *Cache) list(owner string) ([]*corev1.Namespace, string) {
	version := c.informer.GetStore().LastStoreSyncResourceVersion() // first: what is listed may be newer, never older
	if version == "" {
		// The store does not keep it where client-go's feature AtomicFIFO is off.
		version = c.informer.LastSyncResourceVersion()
	}
	var objs []any
	if owner == "" {
		objs = c.informer.GetStore().List()
	} else {
		objs, _ = c.informer.GetIndexer().ByIndex(ownerIndex, v1alpha1.OwnerHash(owner))
	}
	out := make([]*corev1.Namespace, 0, len(objs))
	for _, o := range objs {
		ns := o.(*corev1.Namespace)
		if owner == "" || ns.Annotations[v1alpha1.AnnotationOwner] == owner {
			out = append(out, ns)
		}
	}
	return out, version
}

// version makes a resourceVersion comparable (KEP-5504). What cannot be read
// compares as the oldest.
func version(s string) uint64 {
	v, _ := strconv.ParseUint(s, 10, 64)
	return v
}
