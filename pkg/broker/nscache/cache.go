// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
)

// Handler receives the events of all managed namespaces, in the order of etcd, from
// one goroutine.
type Handler interface {
	// OnList receives all namespaces after a list. The order in which they were
	// created and changed is not known.
	OnList(all []*corev1.Namespace)
	// OnUpdate receives a namespace that is new or has changed.
	OnUpdate(ns *corev1.Namespace)
	// OnDelete receives the last known state of a deleted namespace.
	OnDelete(ns *corev1.Namespace)
}

// resume is how soon a watch that broke is resumed. A creation waits for the event of its
// namespace, so the delay is shorter than client-go's, which grows to half a minute.
var resume = wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: time.Second}

// byOwner is the index by LabelOwner.
const byOwner = "owner"

// Cache is a cache of all managed namespaces. It is safe for concurrent use.
type Cache struct {
	reflector *cache.Reflector
	handler   Handler
	onChange  func(*corev1.Namespace)
	synced    chan struct{}
	indexer   cache.Indexer
	waiters   waiters
	heard     atomic.Pointer[time.Time] // when kube-apiserver sent something
}

// New returns a cache that passes its events to handler. Call Start.
func New(client kubernetes.Interface, handler Handler) *Cache {
	c := newCache(handler)
	c.reflector = cache.NewReflectorWithOptions(feed{client}.listWatch(), &entry{}, (*store)(c), cache.ReflectorOptions{
		Name: "namespaces", TypeDescription: "*v1.Namespace", Backoff: &resume})
	return c
}

func newCache(handler Handler) *Cache {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{byOwner: func(o any) ([]string, error) {
		return []string{o.(*entry).Labels[v1alpha1.LabelOwner]}, nil
	}})
	return &Cache{handler: handler, synced: make(chan struct{}), indexer: indexer, waiters: newWaiters()}
}

// Start follows the cluster until ctx is done. It returns once the cache holds
// all namespaces. onChange is called with each namespace that is new or has changed,
// when the cache shows it.
func (c *Cache) Start(ctx context.Context, onChange func(*corev1.Namespace)) error {
	c.onChange = onChange
	go c.reflector.RunWithContext(ctx)
	select {
	case <-c.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Age returns how long ago kube-apiserver sent an event, a bookmark or a list; 0 before the
// first.
func (c *Cache) Age() time.Duration {
	if at := c.heard.Load(); at != nil {
		return time.Since(*at)
	}
	return 0
}

// Get returns a namespace, or nil. As everywhere in the package, it is a reduced one.
func (c *Cache) Get(name string) *corev1.Namespace {
	if o, ok, err := c.indexer.GetByKey(name); ok && err == nil {
		return &o.(*entry).Namespace
	}
	return nil
}

// List returns the namespaces of some owners, by their LabelOwner, or all
// namespaces if no owner is given, in no order.
func (c *Cache) List(owners ...string) []*corev1.Namespace {
	entries := c.entries(owners...)
	out := make([]*corev1.Namespace, len(entries))
	for i, e := range entries {
		out[i] = &e.Namespace
	}
	return out
}

// Size is how many bytes kube-apiserver sends for some namespaces.
type Size struct{ Count, Total int }

// Size returns the size of the namespaces of some owners, or of all.
func (c *Cache) Size(owners ...string) Size {
	var s Size
	for _, e := range c.entries(owners...) {
		s.Count, s.Total = s.Count+1, s.Total+e.bytes
	}
	return s
}

// Fit returns how many of the namespaces of some owners, or of all, fit into a number of
// bytes, in the order of their names from the given one on; at least one. Each counts least
// bytes or more, for what the cache has not seen yet.
func (c *Cache) Fit(bytes, least int, from string, owners ...string) int {
	entries := slices.DeleteFunc(c.entries(owners...), func(e *entry) bool { return e.Name < from })
	slices.SortFunc(entries, func(a, b *entry) int { return strings.Compare(a.Name, b.Name) })
	for i, e := range entries {
		if bytes -= max(e.bytes, least); bytes < 0 {
			return max(1, i)
		}
	}
	return len(entries) + bytes/least
}

func (c *Cache) entries(owners ...string) []*entry {
	var objects []any
	if len(owners) == 0 {
		objects = c.indexer.List()
	}
	for _, owner := range owners {
		of, _ := c.indexer.ByIndex(byOwner, owner) // its error is that there is no such index
		objects = append(objects, of...)
	}
	out := make([]*entry, len(objects))
	for i, o := range objects {
		out[i] = o.(*entry)
	}
	return out
}

// SampleNames returns the names of up to n namespaces that are complete, not
// being deleted, and begin with one of the prefixes; other names at each call.
func (c *Cache) SampleNames(n int, prefixes []string) []string {
	var out []string
	for _, ns := range c.List() { // in the random order of a map
		if v1alpha1.IsReady(ns) && slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(ns.Name, p)
		}) {
			if out = append(out, ns.Name); len(out) == n {
				break
			}
		}
	}
	return out
}
