// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/api/v1alpha1"
)

// accessInterval is how often a watch checks that its user may still see the watched
// namespaces. There is no check for each event, and all watches of a user share the answer
// of the authorizer, which caches it for some seconds.
const accessInterval = 30 * time.Second

// Watch translates kube-apiserver's watch of Namespaces, filtered to those that the
// caller may see. So resuming, 410, bookmarks and initial events come from its watch
// cache, and the resourceVersions are those of the cluster.
//
// An object that begins to match is ADDED, an object that no longer matches is
// DELETED. When the user gains or loses the right to see the namespaces of all owners,
// the watch ends with 410, and the client lists again.
func (r *Registry) Watch(ctx context.Context, o *internalversion.ListOptions) (watch.Interface, error) {
	w, err := r.watch(ctx, o)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return watch.NewEmptyWatch(), nil // its timeoutSeconds are over, and it has shown nothing
	}
	return w, err
}

func (r *Registry) watch(ctx context.Context, o *internalversion.ListOptions) (watch.Interface, error) {
	s, err := r.selectorOf(ctx, o)
	if err != nil {
		return nil, err
	}
	opts := s.upstream(o)
	if err := checkVersion(opts.ResourceVersion); err != nil {
		return nil, err
	}
	opts.Watch, opts.Limit, opts.Continue = true, 0, ""
	// end before the client does, so that there is time for a last check
	if t := opts.TimeoutSeconds; t != nil && *t > 30 {
		earlier := *t - 1
		opts.TimeoutSeconds = &earlier
	}
	f := &watchFilter{selector: s, has: map[string]bool{}, failed: func(err error) error {
		return r.translate(ctx, err, "")
	}}
	resumes := opts.ResourceVersion != "" && opts.ResourceVersion != "0" && (opts.SendInitialEvents == nil ||
		!*opts.SendInitialEvents)
	if resumes && !s.byOwnerOnly() {
		if err := r.restore(ctx, f, opts); err != nil {
			return nil, err
		}
	}
	opened, err := r.Opening(ctx)
	if errors.Is(err, ErrNoTurn) {
		return nil, apierrors.NewTooManyRequests(err.Error(), 1)
	}
	if err != nil { // the caller has gone, or the time of the watch is over
		return watch.NewEmptyWatch(), nil
	}
	defer opened()
	w, err := r.once(r.Client.CoreV1().RESTClient().Get()).VersionedParams(&opts, metav1.ParameterCodec).Watch(ctx)
	if apierrors.IsInvalid(err) && opts.SendInitialEvents != nil && !opts.AllowWatchBookmarks {
		// A kube-apiserver without WatchList. The client waits for no bookmark, so it
		// did not ask for initial events: the handlers did, because it gave no version.
		opts.SendInitialEvents, opts.ResourceVersionMatch = nil, ""
		w, err = r.once(r.Client.CoreV1().RESTClient().Get()).VersionedParams(&opts, metav1.ParameterCodec).Watch(ctx)
	}
	if err != nil {
		return nil, r.translate(ctx, err, "")
	}
	changed := func() bool {
		all, err := r.authorized(ctx, v1alpha1.VerbViewAll)
		return err == nil && all != s.all
	}
	return pipe(ctx, w, f.translate, changed), nil
}

// restore computes the objects that the client of a resumed watch has: those that
// matched at its resourceVersion. If kube-apiserver no longer has that version, the
// client has to list again.
func (r *Registry) restore(ctx context.Context, f *watchFilter, opts metav1.ListOptions) error {
	select {
	case r.Restores <- struct{}{}:
		defer func() { <-r.Restores }()
	case <-ctx.Done():
		return apierrors.NewServerTimeout(groupResource, "watch", 1)
	}
	_, err := r.eachPage(ctx, f.selector, metav1.ListOptions{
		LabelSelector: opts.LabelSelector, FieldSelector: opts.FieldSelector,
		ResourceVersion: opts.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	}, func(ns *corev1.Namespace) {
		if f.matches(fromNamespace(ns)) {
			f.has[ns.Name] = true
		}
	})
	if apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) { // nothing has happened there yet
		return nil
	}
	return err
}

// pipe returns a watch of the translated events of w. It ends when either side
// stops, when ctx is done, or when the access has changed.
func pipe(ctx context.Context, w watch.Interface, translate func(watch.Event) (watch.Event, bool),
	changed func() bool) watch.Interface {
	out := make(chan watch.Event)
	p := watch.NewProxyWatcher(out)
	go func() {
		defer close(out)
		defer w.Stop()
		look := time.NewTicker(accessInterval*4/5 + rand.N(accessInterval*2/5)) // not all at once
		defer look.Stop()
		for {
			var e watch.Event
			open, ended := true, false
			select {
			case <-ctx.Done(): // the handler may give up before it takes a first event
				return
			case <-p.StopChan():
				return
			case <-look.C:
				if !changed() {
					continue
				}
				e, ended = accessChanged(), true
			case e, open = <-w.ResultChan():
				if !open {
					if !changed() {
						return
					}
					e, ended = accessChanged(), true
				} else if e, open = translate(e); !open {
					continue
				}
			}
			select {
			case out <- e:
			case <-ctx.Done():
				return
			case <-p.StopChan():
				return
			}
			if ended {
				return
			}
		}
	}()
	return p
}

func accessChanged() watch.Event {
	return watch.Event{Type: watch.Error,
		Object: &apierrors.NewResourceExpired("the namespaces that you may see have changed; list again").ErrStatus}
}

// watchFilter translates the events of one watch. If it selects by more than the
// owner, an object that begins to match becomes ADDED, and an object that no longer
// matches becomes DELETED.
type watchFilter struct {
	selector
	has    map[string]bool // by name: the client has it
	failed func(error) error
}

func (f *watchFilter) translate(e watch.Event) (watch.Event, bool) {
	ns, ok := e.Object.(*corev1.Namespace)
	if status, isStatus := e.Object.(*metav1.Status); isStatus { // the end, 410 for example
		var told apierrors.APIStatus
		if errors.As(f.failed(&apierrors.StatusError{ErrStatus: *status}), &told) {
			end := told.Status()
			e.Object = &end
		}
		return e, true
	}
	if !ok {
		return e, false
	}
	if e.Type == watch.Bookmark { // its annotation may mark the end of the initial events
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{ResourceVersion: ns.ResourceVersion,
			Annotations: ns.Annotations}}
		tn.SetGroupVersionKind(v1alpha1.Kind)
		e.Object = tn
		return e, true
	}
	tn := fromNamespace(ns)
	matches := f.matches(tn)
	if !f.byOwnerOnly() {
		had := f.has[ns.Name]
		delete(f.has, ns.Name)
		switch {
		case e.Type == watch.Deleted:
			matches = had || matches
		case matches:
			f.has[ns.Name] = true
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
