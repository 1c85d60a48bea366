// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Names of the API.
var (
	GroupVersion = schema.GroupVersion{Group: "tenama.dev", Version: "v1alpha1"}
	Kind         = GroupVersion.WithKind("TemporaryNamespace")
	Resource     = GroupVersion.WithResource("temporarynamespaces")
)

// Spellings of the resource that clients may use.
const (
	Singular  = "temporarynamespace"
	ShortName = "tns"
)

// Verbs on temporarynamespaces beside the usual ones, for RBAC.
const (
	// VerbViewAll lets a user read the namespaces of every owner. Kubernetes' own
	// garbage collector needs it.
	VerbViewAll = "viewall"
	// VerbAdminister lets a user read and change the namespaces of every owner.
	VerbAdminister = "administer"
)

// Causes, in the details of a Status, that tell why a namespace cannot be had now.
const (
	// CauseBudgetExceeded: a budget is full; its field is the name of the budget.
	CauseBudgetExceeded metav1.CauseType = "BudgetExceeded"
	// CauseBudgetImpossible: waiting does not help, an administrator has to act.
	CauseBudgetImpossible metav1.CauseType = "BudgetImpossible"
	// CauseInLine: the creator waits in line; the message tells the place.
	CauseInLine metav1.CauseType = "InLine"
)

// AddToScheme adds the types of this package to s.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &TemporaryNamespace{}, &TemporaryNamespaceList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
