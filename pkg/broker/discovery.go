// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"

	"tenama.dev/tenama/api/v1alpha1"
)

var verbs = metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

var categories = []string{"tenama"}

// discoveryHandlers returns the handlers of the discovery documents: the root
// (aggregated or not), the group, and the version.
func discoveryHandlers() (root, group, version http.Handler) {
	gv := v1alpha1.GroupVersion
	served := metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version}
	apiGroup := metav1.APIGroup{Name: gv.Group, Versions: []metav1.GroupVersionForDiscovery{served},
		PreferredVersion: served}

	manager := aggregated.NewResourceManager("apis")
	manager.AddGroupVersion(gv.Group, apidiscoveryv2.APIVersionDiscovery{
		Version: gv.Version,
		Resources: []apidiscoveryv2.APIResourceDiscovery{{
			Resource: v1alpha1.Resource.Resource, SingularResource: v1alpha1.Singular, Scope: apidiscoveryv2.ScopeCluster,
			ShortNames: []string{v1alpha1.ShortName}, Categories: categories, Verbs: verbs,
			ResponseKind: &metav1.GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: v1alpha1.Kind.Kind},
		}},
	})
	groups := discovery.NewRootAPIsHandler(discovery.DefaultAddresses{}, codecs)
	groups.AddGroup(apiGroup)
	resources := discovery.APIResourceListerFunc(func() []metav1.APIResource {
		return []metav1.APIResource{{
			Name: v1alpha1.Resource.Resource, SingularName: v1alpha1.Singular, Kind: v1alpha1.Kind.Kind,
			ShortNames: []string{v1alpha1.ShortName}, Categories: categories, Verbs: verbs,
		}}
	})
	return aggregated.WrapAggregatedDiscoveryToHandler(groups, manager, nil),
		discovery.NewAPIGroupHandler(codecs, apiGroup),
		discovery.NewAPIVersionHandler(codecs, gv, resources)
}
