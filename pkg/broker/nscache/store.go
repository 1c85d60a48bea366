// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// store is the side of a Cache that the reflector writes to.
type store Cache

var _ cache.ReflectorStore = &store{}

// Add implements cache.ReflectorStore.
func (s *store) Add(o any) error { return s.Update(o) }

// Update implements cache.ReflectorStore.
func (s *store) Update(o any) error {
	ns := dropManagedFields(o)
	s.handler.OnUpdate(ns) // first: a caller that finds it in the cache may ask whether it is admitted
	if err := s.indexer.Update(ns); err != nil {
		return err
	}
	s.waiters.onUpdate(ns)
	s.onChange(ns)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *store) Delete(o any) error {
	ns := dropManagedFields(o)
	s.handler.OnDelete(ns)
	if err := s.indexer.Delete(ns); err != nil {
		return err
	}
	s.waiters.onDelete(ns)
	return nil
}

// Replace implements cache.ReflectorStore: it receives all namespaces, after a
// list.
func (s *store) Replace(all []any, _ string) error {
	now := map[string]*corev1.Namespace{}
	list := make([]*corev1.Namespace, 0, len(all))
	for _, o := range all {
		ns := dropManagedFields(o)
		now[ns.Name] = ns
		list = append(list, ns)
	}
	before := (*Cache)(s).list()
	s.handler.OnList(list)
	for _, was := range before {
		if ns := now[was.Name]; ns == nil || ns.UID != was.UID {
			if err := s.indexer.Delete(was); err != nil {
				return err
			}
			s.waiters.onDelete(was)
		}
	}
	for _, ns := range list {
		if err := s.indexer.Update(ns); err != nil {
			return err
		}
		s.waiters.onUpdate(ns)
		s.onChange(ns)
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

// dropManagedFields drops the managed fields of the Namespace itself. They are not read, and
// are a third of its size.
func dropManagedFields(o any) *corev1.Namespace {
	ns := o.(*corev1.Namespace)
	ns.ManagedFields = nil
	return ns
}
