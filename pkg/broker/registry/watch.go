// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/api/v1alpha1"
)

// Watch passes on kube-apiserver's watch of Namespaces, narrowed to the
// caller's and translated. So its watch cache gives resume, 410, bookmarks and
// initial events, and the resourceVersions are the cluster's own.
func (r *Registry) Watch(ctx context.Context, o *internalversion.ListOptions) (watch.Interface, error) {
	s, err := r.selection(ctx, o)
	if err != nil {
		return nil, err
	}
	opts := metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"}
	if s.owner != "" {
		opts.LabelSelector += "," + v1alpha1.LabelOwner + "=" + v1alpha1.OwnerHash(s.owner)
	}
	if name, ok := s.fields.RequiresExactMatch("metadata.name"); ok {
		opts.FieldSelector = "metadata.name=" + name
	}
	if o != nil {
		opts.ResourceVersion, opts.ResourceVersionMatch = o.ResourceVersion, o.ResourceVersionMatch
		opts.SendInitialEvents, opts.AllowWatchBookmarks, opts.TimeoutSeconds = o.SendInitialEvents, o.AllowWatchBookmarks, o.TimeoutSeconds
	}
	w, err := r.Client.CoreV1().Namespaces().Watch(ctx, opts)
	if err != nil {
		return nil, r.translate(ctx, err, "")
	}
	f := &watchFilter{selection: s, sent: map[string]bool{}}
	if !s.trivial() && opts.ResourceVersion != "" && opts.ResourceVersion != "0" {
		// The client has listed already: it knows what matched then.
		known, _ := r.Cache.list(s.owner)
		for _, ns := range known {
			// What has changed since then may have matched; to tell of a loss too
			// many does no harm.
			f.sent[ns.Name] = s.matches(view(ns)) || version(ns.ResourceVersion) > version(opts.ResourceVersion)
		}
	}
	return pipe(w, f.translate), nil
}

// pipe passes the translated events of w on, until either side stops.
func pipe(w watch.Interface, translate func(watch.Event) (watch.Event, bool)) watch.Interface {
	out := make(chan watch.Event)
	p := watch.NewProxyWatcher(out)
	go func() {
		defer close(out)
		defer w.Stop()
		for {
			select {
			case <-p.StopChan():
				return
			case e, ok := <-w.ResultChan():
				if !ok {
					return
				}
				if e, ok = translate(e); !ok {
					continue
				}
				select {
				case out <- e:
				case <-p.StopChan():
					return
				}
			}
		}
	}()
	return p
}

// watchFilter translates the events of one watch. Where a selector narrows it
// beyond the owner, an object that begins to match is ADDED to the client, and
// one that ceases to is DELETED.
type watchFilter struct {
	selection
	sent map[string]bool // by name: the client has it
}

func (f *watchFilter) translate(e watch.Event) (watch.Event, bool) {
	ns, ok := e.Object.(*corev1.Namespace)
	if !ok {
		return e, true // a Status: the end, 410 for example
	}
	if e.Type == watch.Bookmark { // its annotation may mark the end of the initial events
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{ResourceVersion: ns.ResourceVersion, Annotations: ns.Annotations}}
		tn.SetGroupVersionKind(v1alpha1.Kind)
		e.Object = tn
		return e, true
	}
	tn := view(ns)
	matches := f.matches(tn)
	if !f.trivial() {
		had := f.sent[ns.Name]
		delete(f.sent, ns.Name)
		switch {
		case e.Type == watch.Deleted:
			matches = had || matches
		case matches:
			f.sent[ns.Name] = true
			if !had {
				e.Type = watch.Added
			}
		case had:
			e.Type, matches = watch.Deleted, true
		}
	}
	e.Object = runtime.Object(tn)
	return e, matches
}
