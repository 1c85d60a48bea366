// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
)

// feedPage is the page size of the list that fills the cache where kube-apiserver does not
// stream it. The sizes of the namespaces are not known yet.
const feedPage = 50

// feed lists and watches the managed namespaces of a cluster. It reduces each one when it
// arrives, so that no whole list is ever in memory.
type feed struct{ kubernetes.Interface }

func (f feed) listWatch() cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(
		&cache.ListWatch{ListWithContextFunc: f.list, WatchFuncWithContext: f.watch}, f.Interface)
}

// list returns all managed namespaces as they are now, whatever page and version o asks
// for: kube-apiserver would answer the first list of a reflector, at resourceVersion 0, in
// one piece.
func (f feed) list(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	o := managed(metav1.ListOptions{Limit: feedPage})
	out := &metav1.List{}
	for {
		page, err := f.CoreV1().Namespaces().List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			out.Items = append(out.Items, runtime.RawExtension{Object: reduce(&page.Items[i])})
		}
		out.ResourceVersion = page.ResourceVersion
		if o.Continue = page.Continue; o.Continue == "" {
			return out, nil
		}
	}
}

func (f feed) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	w, err := f.CoreV1().Namespaces().Watch(ctx, managed(o))
	if err != nil {
		return nil, err
	}
	return watch.Filter(w, func(e watch.Event) (watch.Event, bool) {
		switch o := e.Object.(type) {
		case *corev1.Namespace:
			if e.Type == watch.Bookmark { // the reflector reads its annotations
				e.Object = &entry{Namespace: *o}
			} else {
				e.Object = reduce(o)
			}
		case *metav1.Status:
		default:
			e = watch.Event{Type: watch.Error, Object: &metav1.Status{Status: metav1.StatusFailure,
				Message: fmt.Sprintf("not a Namespace: %T", e.Object)}}
		}
		return e, true
	}), nil
}

func managed(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector = v1alpha1.LabelManaged + "=true"
	return o
}
