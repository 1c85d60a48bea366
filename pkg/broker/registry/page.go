// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/storage"
)

const (
	// PageBytes bounds a page that is read from kube-apiserver. In memory it takes several
	// times as much, until it is encoded and sent.
	PageBytes = 1 << 20
	// MaxPage bounds the number of namespaces in a page. It is the limit of kubectl and client-go.
	MaxPage = 500
	// typicalBytes is the least size that is assumed of a namespace: the cache may not have
	// seen the newest ones yet.
	typicalBytes = 2 << 10
)

// pageLimit returns how many of the selected namespaces fit into the page that a token
// continues with; the first one, if it is empty.
func (r *Registry) pageLimit(s selector, token string) int64 {
	from := ""
	if token != "" { // kube-apiserver rejects it if it is no token
		from, _, _ = storage.DecodeContinue(token, "")
	}
	return int64(min(MaxPage, r.Cache.Fit(PageBytes, typicalBytes, from, s.upstreamOwners()...)))
}

// Pageable returns options for pages of the list that o asks for, as kube-apiserver would
// answer it from its cache (k8s.io/apiserver/pkg/storage/cacher): at resourceVersion 0 it
// ignores a limit, and without a limit a token if there is a version. A version without a
// match means "not older" without a limit, and "exactly" with one.
func Pageable(o metav1.ListOptions) metav1.ListOptions {
	if o.ResourceVersionMatch == metav1.ResourceVersionMatchExact || o.ResourceVersion == "" {
		return o
	}
	if o.ResourceVersion == "0" {
		o.Limit = 0
	}
	if o.Limit == 0 {
		o.Continue, o.ResourceVersionMatch = "", metav1.ResourceVersionMatchNotOlderThan
	}
	if o.ResourceVersion == "0" { // the present one is as good, and kube-apiserver observes the limit
		o.ResourceVersion, o.ResourceVersionMatch = "", ""
	}
	return o
}

// ListBytes returns about how many bytes kube-apiserver sends for a list of all namespaces
// that the caller may see. Errors: those of selectors.
func (r *Registry) ListBytes(ctx context.Context) (int, error) {
	s, err := r.selectorOf(ctx, nil)
	if err != nil {
		return 0, err
	}
	return r.Cache.Size(s.owners...).Total, nil
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
