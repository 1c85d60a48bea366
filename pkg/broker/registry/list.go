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
// The present state, the state at a resourceVersion, and pages come from
// kube-apiserver, with its resourceVersion and its continue token. Only where any
// state will do (resourceVersion 0, which informers ask for when they start) the list
// comes from the broker's own cache. As with any selector, a page may hold fewer
// objects than its limit. Errors: BadRequest, Expired (with a token to continue), Timeout
// (a resourceVersion of the future).
func (r *Registry) List(ctx context.Context, o *internalversion.ListOptions) (runtime.Object, error) {
	s, err := r.selectorOf(ctx, o)
	if err != nil {
		return nil, err
	}
	return r.list(ctx, s, o)
}

func (r *Registry) list(ctx context.Context, s selector,
	o *internalversion.ListOptions) (*v1alpha1.TemporaryNamespaceList, error) {
	out := &v1alpha1.TemporaryNamespaceList{}
	var found []*corev1.Namespace
	if o != nil && o.ResourceVersion == "0" && o.ResourceVersionMatch != metav1.ResourceVersionMatchExact &&
		o.Continue == "" {
		found, out.ResourceVersion = r.Cache.List(s.owners...)
		slices.SortFunc(found, func(a, b *corev1.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	} else {
		list, err := r.page(ctx, s.upstream(o))
		if err != nil {
			return nil, err
		}
		out.ResourceVersion, out.Continue = list.ResourceVersion, list.Continue
		if out.Continue != "" && !s.all {
			// kube-apiserver returns a token while namespaces of other owners follow. The
			// caller must not learn that there are any.
			next, err := r.page(ctx, metav1.ListOptions{LabelSelector: s.upstream(o).LabelSelector,
				Continue: list.Continue, Limit: 1})
			if err == nil && len(next.Items) == 0 {
				out.Continue = ""
			}
		}
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
	out.Items = make([]v1alpha1.TemporaryNamespace, 0, len(found))
	warned, now := 0, r.now()
	for _, ns := range found {
		if tn := fromNamespace(ns); s.matches(tn) {
			out.Items = append(out.Items, *tn)
			if warned < maxWarnings && warn(ctx, ns, tn, now) {
				warned++
			}
		}
	}
	return out, nil
}

// page lists Namespaces from kube-apiserver.
func (r *Registry) page(ctx context.Context, o metav1.ListOptions) (*corev1.NamespaceList, error) {
	if err := checkVersion(o.ResourceVersion); err != nil {
		return nil, err
	}
	list := &corev1.NamespaceList{}
	if err := r.once(r.Client.CoreV1().RESTClient().Get()).VersionedParams(&o,
		metav1.ParameterCodec).Do(ctx).Into(list); err != nil {
		return nil, r.translate(ctx, err, "")
	}
	return list, nil
}
