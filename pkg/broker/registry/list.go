// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apirest "k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// once makes a request for namespaces that is not repeated by itself: what
// kube-apiserver says about waiting is for the caller to follow.
func (r *Registry) once(req *rest.Request) *rest.Request {
	return req.MaxRetries(0).Resource("namespaces")
}

// checkVersion refuses what is no resourceVersion. kube-apiserver answers some of
// these with an internal error.
func checkVersion(v string) error {
	if _, err := strconv.ParseUint(v, 10, 64); v != "" && err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("resourceVersion: Invalid value: %q: must be one that the server gave, or 0", v))
	}
	return nil
}

// List returns the caller's TemporaryNamespaces, or everybody's for those who
// may view all, ordered by name.
//
// What is to be the present state, or that of a certain resourceVersion, or a
// page of it, comes from kube-apiserver, with its resourceVersion and its
// continue token. Only where any state will do (resourceVersion 0, as informers
// ask when they start) it comes from the broker's own cache. As with any
// selector, a page may hold fewer objects than its limit. Errors: BadRequest,
// Expired (with a token to go on), Timeout (a resourceVersion of the future).
func (r *Registry) List(ctx context.Context, o *internalversion.ListOptions) (runtime.Object, error) {
	s, err := r.selection(ctx, o)
	if err != nil {
		return nil, err
	}
	return r.list(ctx, s, o)
}

func (r *Registry) list(ctx context.Context, s selection, o *internalversion.ListOptions) (*v1alpha1.TemporaryNamespaceList, error) {
	out := &v1alpha1.TemporaryNamespaceList{}
	var found []*corev1.Namespace
	if o != nil && o.ResourceVersion == "0" && o.ResourceVersionMatch != metav1.ResourceVersionMatchExact && o.Continue == "" {
		found, out.ResourceVersion = r.Cache.list(s.mine...)
		slices.SortFunc(found, func(a, b *corev1.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	} else {
		list, err := r.page(ctx, s.upstream(o))
		if err != nil {
			return nil, err
		}
		out.ResourceVersion, out.Continue = list.ResourceVersion, list.Continue
		if out.Continue != "" && !s.all {
			// To kube-apiserver there is more while others' follow. That there are some is
			// not for everybody to know.
			next, err := r.page(ctx, metav1.ListOptions{LabelSelector: s.upstream(o).LabelSelector, Continue: list.Continue, Limit: 1})
			if err == nil && len(next.Items) == 0 {
				out.Continue = ""
			}
		}
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
	out.Items = make([]v1alpha1.TemporaryNamespace, 0, len(found))
	warned := 0
	for _, ns := range found {
		if tn := view(ns); s.matches(tn) {
			out.Items = append(out.Items, *tn)
			if warned < mostWarnings && warn(ctx, ns, tn) {
				warned++
			}
		}
	}
	return out, nil
}

// page reads Namespaces as kube-apiserver has them.
func (r *Registry) page(ctx context.Context, o metav1.ListOptions) (*corev1.NamespaceList, error) {
	if err := checkVersion(o.ResourceVersion); err != nil {
		return nil, err
	}
	list := &corev1.NamespaceList{}
	if err := r.once(r.Client.CoreV1().RESTClient().Get()).VersionedParams(&o, metav1.ParameterCodec).Do(ctx).Into(list); err != nil {
		return nil, r.translate(ctx, err, "")
	}
	return list, nil
}

// DeleteCollection begins the end of every TemporaryNamespace that List returns
// for the same options, of the caller's own; of everybody's for those who may
// administer. One that has its name anew since is left. It stops at the first
// error; what was deleted until then stays so.
func (r *Registry) DeleteCollection(ctx context.Context, validate apirest.ValidateObjectFunc, o *metav1.DeleteOptions, list *internalversion.ListOptions) (runtime.Object, error) {
	s, err := r.selection(ctx, list)
	if err != nil {
		return nil, err
	}
	if admin, err := r.may(ctx, v1alpha1.VerbAdminister); err != nil {
		return nil, err
	} else if !admin { // to see everybody's is not to delete them
		s.mine = hashes(userOf(ctx))
	}
	out, err := r.list(ctx, s, list)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range out.Items {
		tn, one := &out.Items[i], o.DeepCopy()
		ours := one.Preconditions == nil
		if ours {
			one.Preconditions = &metav1.Preconditions{UID: &tn.UID}
		}
		g.Go(func() error {
			_, _, err := r.Delete(ctx, tn.Name, validate, one)
			if apierrors.IsNotFound(err) || ours && apierrors.IsConflict(err) {
				return nil
			}
			return err
		})
	}
	return out, g.Wait()
}
