// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ObjectKind is a kind of object that classes can contain in addition to the guard
// rails, because the installation allows it (deploy/components/kinds).
type ObjectKind struct {
	schema.GroupVersionKind
	Resource string // plural
}

// ObjectKinds are the additional kinds that an installation allows.
type ObjectKinds []ObjectKind

// ParseObjectKind parses GROUP/VERSION/KIND/RESOURCE, such as /v1/ConfigMap/configmaps.
// Kinds that hold credentials, or that run code next to that of tenants, are rejected;
// the admission policies deny them as well.
func ParseObjectKind(s string) (ObjectKind, error) {
	p := strings.Split(s, "/")
	if len(p) != 4 || p[1] == "" || p[2] == "" || p[3] == "" {
		return ObjectKind{}, fmt.Errorf("%q is not GROUP/VERSION/KIND/RESOURCE, such as /v1/ConfigMap/configmaps", s)
	}
	k := ObjectKind{schema.GroupVersionKind{Group: p[0], Version: p[1], Kind: p[2]}, p[3]}
	switch {
	case k.Group == "" && (k.Resource == "secrets" || k.Resource == "pods" || k.Resource == "replicationcontrollers" ||
		k.Resource == "namespaces"), k.Group == "apps", k.Group == "batch":
		return ObjectKind{}, fmt.Errorf("%q: the broker creates no Secrets and no workloads", s)
	case guardRailKinds[k.GroupKind()]:
		return ObjectKind{}, fmt.Errorf("%q is a guard rail, which classes may always contain", s)
	}
	return k, nil
}

var guardRailKinds = map[schema.GroupKind]bool{
	{Kind: "ResourceQuota"}: true, {Kind: "LimitRange"}: true, {Kind: "ServiceAccount"}: true, {Group: "networking.k8s.io",
		Kind: "NetworkPolicy"}: true,
}

// Find returns the entry for a kind, and whether there is one.
func (l ObjectKinds) Find(gvk schema.GroupVersionKind) (ObjectKind, bool) {
	for _, k := range l {
		if k.GroupVersionKind == gvk {
			return k, true
		}
	}
	return ObjectKind{}, false
}

// String returns the list of all allowed kinds, guard rails included, for error
// messages.
func (l ObjectKinds) String() string {
	out := []string{"ResourceQuota, LimitRange, ServiceAccount (v1), NetworkPolicy (networking.k8s.io/v1)"}
	for _, k := range l {
		out = append(out, fmt.Sprintf("%s (%s)", k.Kind, k.GroupVersion()))
	}
	return strings.Join(out, ", ")
}
