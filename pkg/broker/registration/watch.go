// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
)

// watchAPIService watches the APIService until ctx is done. changes receives after a change;
// latest returns the latest version, or nil if it does not exist.
func watchAPIService(ctx context.Context, apiServices apiregistrationclient.APIServiceInterface) (
	changes <-chan struct{}, latest func() *apiregistrationv1.APIService) {
	changed := make(chan struct{}, 1)
	notify := func(any) {
		select {
		case changed <- struct{}{}:
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
		AddFunc:    notify,
		UpdateFunc: func(_, o any) { notify(o) },
		DeleteFunc: notify,
	})
	go informer.RunWithContext(ctx)
	return changed, func() *apiregistrationv1.APIService {
		o, ok, _ := informer.GetStore().GetByKey(Name)
		if !ok {
			return nil
		}
		return o.(*apiregistrationv1.APIService)
	}
}

// isUnavailable reports whether kube-apiserver says that the APIService is unavailable.
func isUnavailable(s *apiregistrationv1.APIService) bool {
	return slices.ContainsFunc(s.Status.Conditions, func(c apiregistrationv1.APIServiceCondition) bool {
		return c.Type == apiregistrationv1.Available && c.Status == apiregistrationv1.ConditionFalse
	})
}

// isAvailable reports whether kube-apiserver says that the APIService is available.
func isAvailable(s *apiregistrationv1.APIService) bool {
	return slices.ContainsFunc(s.Status.Conditions, func(c apiregistrationv1.APIServiceCondition) bool {
		return c.Type == apiregistrationv1.Available && c.Status == apiregistrationv1.ConditionTrue
	})
}

// isOwn reports whether the APIService names the Service of this installation.
func isOwn(s *apiregistrationv1.APIService, namespace, service string) bool {
	return s.Spec.Service != nil && s.Spec.Service.Namespace == namespace && s.Spec.Service.Name == service
}

// backoff delays the registration of a broker that serves but cannot be reached: each
// time that the guard deletes the APIService, the broker recreates it later.
type backoff struct {
	outage outage
	pause  time.Duration
	until  time.Time
}

const maxBackoff = 2 * time.Minute

// delay returns how long the broker must wait before it writes the APIService, given
// its latest version s.
func (b *backoff) delay(s *apiregistrationv1.APIService, now time.Time) time.Duration {
	switch {
	case s == nil && b.outage.down:
		b.outage = outage{}
		b.pause = min(max(2*b.pause, 5*time.Second), maxBackoff)
		b.until = now.Add(b.pause)
	case s != nil && len(s.Status.Conditions) > 0:
		if since := b.outage.since; !since.IsZero() && now.Sub(since) >= settled {
			b.pause = 0
		}
		b.outage.observe(isUnavailable(s), now)
	}
	return max(0, b.until.Sub(now))
}
