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

// Causes in the details of a Status. Programs distinguish errors by them; messages are
// for people and may change.
const (
	// CauseBudgetExceeded says that a budget is full. Its field is the name of the budget.
	CauseBudgetExceeded metav1.CauseType = "BudgetExceeded"
	// CauseBudgetImpossible says that a budget can never admit the namespace: an
	// administrator has to act. Its field is the name of the budget.
	CauseBudgetImpossible metav1.CauseType = "BudgetImpossible"
	// CauseInLine says that the request waits in the queue of a budget. Its message says
	// at which position.
	CauseInLine metav1.CauseType = "InLine"
	// CauseNamePrefix says that the name does not begin with the prefix of its class. Its
	// field is the prefix.
	CauseNamePrefix metav1.CauseType = "NamePrefix"
	// CauseNameTaken says that the name belongs to another owner.
	CauseNameTaken metav1.CauseType = "NameTaken"
	// CauseClassNotAllowed says that the user may not use a class. Its field is the class.
	CauseClassNotAllowed metav1.CauseType = "ClassNotAllowed"
	// CauseNotContained says that the broker changes nothing because the admission
	// policies do not contain it.
	CauseNotContained metav1.CauseType = "NotContained"
)

// AddToScheme adds the types of this package to s.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &TemporaryNamespace{}, &TemporaryNamespaceList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
