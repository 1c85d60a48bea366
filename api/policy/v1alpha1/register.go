// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// These are the names of the API.
var (
	GroupVersion = schema.GroupVersion{Group: "policy.tenama.dev", Version: "v1alpha1"}
	Kind         = GroupVersion.WithKind("NamespaceClass")
	Resource     = GroupVersion.WithResource("namespaceclasses")

	BudgetKind     = GroupVersion.WithKind("NamespaceBudget")
	BudgetResource = GroupVersion.WithResource("namespacebudgets")
)

// VerbUse is the verb on namespaceclasses that allows a user to create namespaces of a
// class.
const VerbUse = "use"

// AddToScheme adds the types of this package to s.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &NamespaceClass{}, &NamespaceClassList{}, &NamespaceBudget{}, &NamespaceBudgetList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
