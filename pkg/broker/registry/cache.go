// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
)

// Order is told of every managed namespace in the order of the cluster, by one
// goroutine, before anybody who waits for an event goes on.
type Order interface {
	// Reset tells what is there; in which order it came is not known.
	Reset(all []*corev1.Namespace)
	// Saw tells of one that is new or has changed.
	Saw(ns *corev1.Namespace)
	// Lost tells of one that is gone, as it was last.
	Lost(ns *corev1.Namespace)
}

// Cache is the one watch of all managed namespaces. Lists, expiry, admission and
// the moment at which a new namespace may be written to come from it.
//
// It is fed by a reflector rather than an informer: an informer may merge events
// and does not tell a list from a watch, and admission lives by their order.
type Cache struct {
	reflector *cache.Reflector
	order     Order
	onChange  func(*corev1.Namespace)
	synced    chan struct{}

	mu      sync.RWMutex // guards the two below
	byName  map[string]*corev1.Namespace
	byOwner map[string]map[string]*corev1.Namespace // by LabelOwner and name

	expected // who waits for what, and who had a name last
}

// NewCache returns a cache that tells order of what it sees, and calls onChange
// with each namespace that is new or has changed. Call Start.
func NewCache(client kubernetes.Interface, order Order, onChange func(*corev1.Namespace)) *Cache {
	c := &Cache{
		order: order, onChange: onChange, synced: make(chan struct{}),
		byName: map[string]*corev1.Namespace{}, byOwner: map[string]map[string]*corev1.Namespace{}, expected: newExpected(),
	}
	managed := func(o metav1.ListOptions) metav1.ListOptions {
		o.LabelSelector = v1alpha1.LabelManaged + "=true"
		return o
	}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.CoreV1().Namespaces().List(ctx, managed(o))
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return client.CoreV1().Namespaces().Watch(ctx, managed(o))
		},
	}
	c.reflector = cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(lw, client), &corev1.Namespace{}, c, cache.ReflectorOptions{Name: "namespaces"})
	return c
}

// Start follows the cluster until ctx is done, and returns once the cache holds
// all that is there.
func (c *Cache) Start(ctx context.Context) error {
	go c.reflector.RunWithContext(ctx)
	select {
	case <-c.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Add is for the reflector, as the next four.
func (c *Cache) Add(o any) error {
	ns := slim(o)
	c.order.Saw(ns) // first: who finds it here may ask whether it is admitted
	c.put(ns)
	c.arrived(ns)
	c.onChange(ns)
	return nil
}

// Update tells of a change.
func (c *Cache) Update(o any) error { return c.Add(o) }

// Delete tells that a namespace is gone.
func (c *Cache) Delete(o any) error {
	ns := slim(o)
	c.order.Lost(ns)
	c.remove(ns)
	c.left(ns)
	return nil
}

// Replace tells all that is there, after a list.
func (c *Cache) Replace(all []any, _ string) error {
	there := map[string]*corev1.Namespace{}
	list := make([]*corev1.Namespace, 0, len(all))
	for _, o := range all {
		ns := slim(o)
		there[ns.Name] = ns
		list = append(list, ns)
	}
	before, _ := c.list()
	c.order.Reset(list)
	for _, was := range before {
		if now := there[was.Name]; now == nil || now.UID != was.UID {
			c.remove(was)
			c.left(was)
		}
	}
	for _, ns := range list {
		c.put(ns)
		c.arrived(ns)
		c.onChange(ns)
	}
	select {
	case <-c.synced:
	default:
		close(c.synced)
	}
	return nil
}

// Resync does nothing: nobody asks for what has not changed.
func (c *Cache) Resync() error { return nil }

// slim drops the Namespace's own managed fields; nobody here reads them, and they
// are a third of its size.
func slim(o any) *corev1.Namespace {
	ns := o.(*corev1.Namespace)
	ns.ManagedFields = nil
	return ns
}

func (c *Cache) put(ns *corev1.Namespace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was := c.byName[ns.Name]; was != nil {
		c.unindex(was)
	}
	c.byName[ns.Name] = ns
	own := c.byOwner[ns.Labels[v1alpha1.LabelOwner]]
	if own == nil {
		own = map[string]*corev1.Namespace{}
		c.byOwner[ns.Labels[v1alpha1.LabelOwner]] = own
	}
	own[ns.Name] = ns
}

func (c *Cache) remove(ns *corev1.Namespace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was := c.byName[ns.Name]; was != nil {
		c.unindex(was)
		delete(c.byName, ns.Name)
	}
}

func (c *Cache) unindex(ns *corev1.Namespace) {
	hash := ns.Labels[v1alpha1.LabelOwner]
	if delete(c.byOwner[hash], ns.Name); len(c.byOwner[hash]) == 0 {
		delete(c.byOwner, hash)
	}
}

// get returns the namespace as last seen, or nil. It must not be changed.
func (c *Cache) get(name string) *corev1.Namespace {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byName[name]
}

// Some returns the names of up to n namespaces with one of the prefixes that are
// complete and alive, others each time.
func (c *Cache) Some(n int, prefixes []string) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []string
	for name, ns := range c.byName { // in the order of a map
		if ns.Annotations[v1alpha1.AnnotationReady] == "true" && ns.DeletionTimestamp == nil && begins(name, prefixes) {
			if out = append(out, name); len(out) == n {
				break
			}
		}
	}
	return out
}

// list returns the namespaces of one or several owners, by the hashes of their
// labels, or all if there is none, in no order, and the resourceVersion up to
// which it has seen the cluster.
func (c *Cache) list(owners ...string) ([]*corev1.Namespace, string) {
	version := c.reflector.LastSyncResourceVersion() // first: what is listed may be newer, never older
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []*corev1.Namespace
	if len(owners) == 0 {
		out = make([]*corev1.Namespace, 0, len(c.byName))
		for _, ns := range c.byName {
			out = append(out, ns)
		}
	}
	for _, hash := range owners {
		for _, ns := range c.byOwner[hash] {
			out = append(out, ns)
		}
	}
	return out, version
}

func begins(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// version makes a resourceVersion comparable (KEP-5504). What cannot be read
// compares as the oldest.
func version(s string) uint64 {
	v, _ := strconv.ParseUint(s, 10, 64)
	return v
}
