// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// store is the side of a Cache that the reflector writes to.
type store Cache

var (
	_ cache.ReflectorStore         = &store{}
	_ cache.ResourceVersionUpdater = &store{}
)

// UpdateResourceVersion implements cache.ResourceVersionUpdater: the reflector calls it after
// each event, bookmark and list.
func (s *store) UpdateResourceVersion(string) {
	now := time.Now()
	s.heard.Store(&now)
}

// Add implements cache.ReflectorStore.
func (s *store) Add(o any) error { return s.Update(o) }

// Update implements cache.ReflectorStore.
func (s *store) Update(o any) error {
	e := o.(*entry)
	ns := &e.Namespace
	s.handler.OnUpdate(ns) // first: a caller that finds it in the cache may ask whether it is admitted
	if err := s.indexer.Update(e); err != nil {
		return err
	}
	s.waiters.onUpdate(ns)
	s.onChange(ns)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *store) Delete(o any) error {
	e := o.(*entry)
	ns := &e.Namespace
	s.handler.OnDelete(ns)
	if err := s.indexer.Delete(e); err != nil {
		return err
	}
	s.waiters.onDelete(ns)
	return nil
}

// Replace implements cache.ReflectorStore: it receives all namespaces, after a
// list.
func (s *store) Replace(all []any, _ string) error {
	now := map[string]*entry{}
	list := make([]*corev1.Namespace, 0, len(all))
	for _, o := range all {
		e := o.(*entry)
		now[e.Name] = e
		list = append(list, &e.Namespace)
	}
	before := (*Cache)(s).entries()
	s.handler.OnList(list)
	for _, was := range before {
		if e := now[was.Name]; e == nil || e.UID != was.UID {
			if err := s.indexer.Delete(was); err != nil {
				return err
			}
			s.waiters.onDelete(&was.Namespace)
		}
	}
	for _, o := range all {
		e := o.(*entry)
		if err := s.indexer.Update(e); err != nil {
			return err
		}
		s.waiters.onUpdate(&e.Namespace)
		s.onChange(&e.Namespace)
	}
	select {
	case <-s.synced:
	default:
		close(s.synced)
	}
	return nil
}

// Resync implements cache.ReflectorStore. It does nothing, because no reader of the
// cache acts on an unchanged namespace.
func (s *store) Resync() error { return nil }
