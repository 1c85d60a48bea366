// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
)

// follow watches the APIService until ctx is done. changes receives after a change;
// latest returns the latest version, or nil if it does not exist.
func follow(ctx context.Context, apiServices apiregistrationclient.APIServiceInterface) (changes <-chan struct{}, latest func() *apiregistrationv1.APIService) {
	poke := make(chan struct{}, 1)
	wake := func(any) {
		select {
		case poke <- struct{}{}:
		default:
		}
	}
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (out runtime.Object, err error) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", Name).String()
			return apiServices.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", Name).String()
			return apiServices.Watch(ctx, o)
		},
	}, &apiregistrationv1.APIService{}, 0, cache.Indexers{})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    wake,
		UpdateFunc: func(_, o any) { wake(o) },
		DeleteFunc: wake,
	})
	go informer.RunWithContext(ctx)
	return poke, func() *apiregistrationv1.APIService {
		o, ok, _ := informer.GetStore().GetByKey(Name)
		if !ok {
			return nil
		}
		return o.(*apiregistrationv1.APIService)
	}
}

// unavailable returns when the APIService became unavailable; nil if it is available,
// or does not exist.
func unavailable(s *apiregistrationv1.APIService) *metav1.Time {
	if s == nil {
		return nil
	}
	for _, c := range s.Status.Conditions {
		if c.Type == apiregistrationv1.Available && c.Status == apiregistrationv1.ConditionFalse {
			return &c.LastTransitionTime
		}
	}
	return nil
}

// mine reports whether the APIService names the Service of this installation.
func mine(s *apiregistrationv1.APIService, namespace, service string) bool {
	return s.Spec.Service != nil && s.Spec.Service.Namespace == namespace && s.Spec.Service.Name == service
}

// patience delays the registration of a broker that serves but cannot be reached: each
// time that the guard deletes the APIService, the broker recreates it later.
type patience struct {
	failed bool // the APIService was unavailable when last seen
	pause  time.Duration
	until  time.Time
}

const maxPatience = 2 * time.Minute

// wait returns how long the broker must wait before it writes the APIService, given
// its latest version s.
func (p *patience) wait(s *apiregistrationv1.APIService, now time.Time) time.Duration {
	switch {
	case s == nil && p.failed:
		p.failed, p.pause = false, min(max(2*p.pause, 5*time.Second), maxPatience)
		p.until = now.Add(p.pause)
	case s != nil && unavailable(s) != nil:
		p.failed = true
	case s != nil && len(s.Status.Conditions) > 0:
		*p = patience{}
	}
	return max(0, p.until.Sub(now))
}
