// SPDX-License-Identifier: Apache-2.0

// Package policystore watches the objects of one resource of policy.tenama.dev, and
// writes their status.
//
// It keeps all objects in memory; they must not be changed. Every replica watches and
// may write, so a status is written only on the version that was read: a Conflict means
// that another replica, or an administrator, was first, and a watch event follows.
package policystore

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Object is a pointer to a cluster-scoped object of type T.
type Object[T any] interface {
	*T
	runtime.Object
	metav1.Object
}

// Store holds the objects of one resource. It is safe for concurrent use.
type Store[T any, P Object[T]] struct {
	client   rest.Interface
	resource string
	informer cache.SharedIndexInformer
}

// New returns a Store of a resource; c is a client of group policy.tenama.dev. onChange
// is called after each change: old is nil for a new object, and now for a deleted one,
// of which the last state may be unknown, and old nil, too.
// Call Start.
func New[T any, P Object[T]](c rest.Interface, resource string, onChange func(old, now P)) (*Store[T, P], error) {
	all := cache.NewListWatchFromClient(c, resource, metav1.NamespaceAll, fields.Everything())
	s := &Store[T, P]{c, resource, cache.NewSharedIndexInformer(all, P(new(T)), 0, cache.Indexers{})}
	_, err := s.informer.AddEventHandler(handler(onChange))
	return s, err
}

func handler[T any, P Object[T]](onChange func(old, now P)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { onChange(nil, o.(P)) },
		UpdateFunc: func(old, o any) { onChange(old.(P), o.(P)) },
		DeleteFunc: func(o any) {
			if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			old, _ := o.(P) // the last known state may be missing
			onChange(old, nil)
		},
	}
}

// Start watches until ctx is done, and returns once all objects are known.
func (s *Store[T, P]) Start(ctx context.Context) error {
	go s.informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), s.informer.HasSynced) {
		return ctx.Err()
	}
	return nil
}

// List returns all objects, sorted by name.
func (s *Store[T, P]) List() []P {
	var out []P
	for _, o := range s.informer.GetStore().List() {
		out = append(out, o.(P))
	}
	slices.SortFunc(out, func(a, b P) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}

// Get returns an object, or nil.
func (s *Store[T, P]) Get(name string) P {
	if o, ok, err := s.informer.GetStore().GetByKey(name); ok && err == nil {
		return o.(P)
	}
	return nil
}

// UpdateStatus writes the status of an object, and reports whether it did: it does not
// if the object was changed or deleted meanwhile. Errors: those of kube-apiserver.
func (s *Store[T, P]) UpdateStatus(ctx context.Context, obj P) (written bool, _ error) {
	err := s.client.Put().Resource(s.resource).Name(obj.GetName()).SubResource("status").Body(obj).Do(ctx).Error()
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
