// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// once returns a request for namespaces that the client does not repeat: a
// Retry-After of kube-apiserver is for the caller to follow.
func (r *Registry) once(req *rest.Request) *rest.Request {
	return req.MaxRetries(0).Resource("namespaces")
}

// checkVersion returns BadRequest for a malformed resourceVersion. kube-apiserver
// answers some of them with InternalError.
func checkVersion(v string) error {
	if _, err := strconv.ParseUint(v, 10, 64); v != "" && err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf(
			"resourceVersion: Invalid value: %q: must be a resourceVersion returned by the server, or 0", v))
	}
	return nil
}

// List returns the TemporaryNamespaces of the caller, or all for callers who may view
// all, ordered by name.
//
// The list comes from kube-apiserver, with its resourceVersion and its continue token, in
// pages of bounded size: a request without a limit gets all of them, and one with a limit
// gets fewer if they are large. As with any selector, a page may hold fewer objects than its
// limit. Where any state will do (resourceVersion 0), the list is the present one. Errors:
// BadRequest, Expired (with a token to continue), Timeout (a resourceVersion of the future).
func (r *Registry) List(ctx context.Context, o *internalversion.ListOptions) (runtime.Object, error) {
	s, err := r.selectorOf(ctx, o)
	if err != nil {
		return nil, err
	}
	out := &v1alpha1.TemporaryNamespaceList{Items: []v1alpha1.TemporaryNamespace{}}
	warned, now := 0, r.now()
	out.ListMeta, err = r.forEach(ctx, s, o, func(ns *corev1.Namespace, tn *v1alpha1.TemporaryNamespace) {
		out.Items = append(out.Items, *tn)
		if warned < maxWarnings && warn(ctx, ns, tn, now) {
			warned++
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out.Items, func(a, b v1alpha1.TemporaryNamespace) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// forEach calls visit for each selected object, and returns the metadata of the list.
func (r *Registry) forEach(ctx context.Context, s selector, o *internalversion.ListOptions,
	visit func(*corev1.Namespace, *v1alpha1.TemporaryNamespace)) (metav1.ListMeta, error) {
	selected := func(ns *corev1.Namespace) {
		if tn := fromNamespace(ns); s.matches(tn) {
			visit(ns, tn)
		}
	}
	opts := Pageable(s.upstream(o))
	if len(s.owners) > maxOwners && opts.Continue == "" {
		size := r.Cache.Size(s.owners...)
		if opts.Limit == 0 || int64(size.Count) <= opts.Limit && size.Total <= PageBytes {
			version, err := r.eachOwner(ctx, s, opts, selected)
			return metav1.ListMeta{ResourceVersion: version}, err
		}
	}
	if opts.Limit == 0 {
		version, err := r.eachPage(ctx, s, opts, selected)
		return metav1.ListMeta{ResourceVersion: version}, err
	}
	opts.Limit = min(opts.Limit, r.pageLimit(s, opts.Continue))
	page, err := r.page(ctx, opts)
	if err != nil {
		return metav1.ListMeta{}, err
	}
	for i := range page.Items {
		selected(&page.Items[i])
	}
	out := metav1.ListMeta{ResourceVersion: page.ResourceVersion, Continue: page.Continue}
	if out.Continue != "" && !s.all {
		// kube-apiserver returns a token while namespaces of other owners follow. The
		// caller must not learn that there are any.
		next, err := r.page(ctx, metav1.ListOptions{LabelSelector: opts.LabelSelector, Continue: page.Continue, Limit: 1})
		if err == nil && len(next.Items) == 0 {
			out.Continue = ""
		}
	}
	return out, nil
}

// eachOwner is eachPage for more owners than one selector can name. All its parts are of one
// resourceVersion. The order is by part.
func (r *Registry) eachOwner(ctx context.Context, s selector, o metav1.ListOptions,
	visit func(*corev1.Namespace)) (resourceVersion string, err error) {
	for owners := range slices.Chunk(s.owners, maxOwners) {
		part := s
		part.owners = owners
		o.LabelSelector = part.upstream(nil).LabelSelector
		if resourceVersion, err = r.eachPage(ctx, part, o, visit); err != nil {
			return "", err
		}
		o.ResourceVersion, o.ResourceVersionMatch = resourceVersion, metav1.ResourceVersionMatchExact
	}
	return resourceVersion, nil
}

// eachPage calls visit for each namespace of a list without a limit, and returns the
// resourceVersion of the list. It reads one page at a time.
func (r *Registry) eachPage(ctx context.Context, s selector, o metav1.ListOptions,
	visit func(*corev1.Namespace)) (resourceVersion string, _ error) {
	for {
		o.Limit = r.pageLimit(s, o.Continue)
		page, err := r.page(ctx, o)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			visit(&page.Items[i])
		}
		if page.Continue == "" {
			return page.ResourceVersion, nil
		}
		o.Continue, o.ResourceVersion, o.ResourceVersionMatch = page.Continue, "", ""
	}
}
