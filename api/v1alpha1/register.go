// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// These are the names of the API.
var (
	GroupVersion = schema.GroupVersion{Group: "tenama.dev", Version: "v1alpha1"}
	Kind         = GroupVersion.WithKind("TemporaryNamespace")
	Resource     = GroupVersion.WithResource("temporarynamespaces")
)

// Alternative names of the resource that clients can use.
const (
	Singular  = "temporarynamespace"
	ShortName = "tns"
)

// Verbs on temporarynamespaces for RBAC, in addition to the standard verbs.
const (
	// VerbViewAll allows a user to read the namespaces of all owners. The garbage
	// collector of Kubernetes needs it.
	VerbViewAll = "viewall"
	// VerbAdminister allows a user to read and change the namespaces of all owners.
	VerbAdminister = "administer"
)

// Causes in the details of a Status. Programs use them to distinguish errors; messages
// are for humans and may change.
const (
	// CauseBudgetExceeded means that a budget is exhausted. Its field is the name of
	// the budget.
	CauseBudgetExceeded metav1.CauseType = "BudgetExceeded"
	// CauseBudgetImpossible means that a budget can never admit the namespace, until an
	// administrator changes the configuration. Its field is the name of the budget.
	CauseBudgetImpossible metav1.CauseType = "BudgetImpossible"
	// CauseOwnNamespace accompanies CauseBudgetExceeded. Its field is the name of a
	// namespace of the caller that counts in the budget and is not being deleted.
	CauseOwnNamespace metav1.CauseType = "OwnNamespace"
	// CauseInLine means that the request waits in the queue of a budget. Its message
	// contains the position in the queue.
	CauseInLine metav1.CauseType = "InLine"
	// CauseNamePrefix means that the name does not begin with the prefix of its class.
	// Its field is the prefix.
	CauseNamePrefix metav1.CauseType = "NamePrefix"
	// CauseNameTaken means that the name belongs to another owner.
	CauseNameTaken metav1.CauseType = "NameTaken"
	// CauseClassNotAllowed means that the user is not allowed to use a class. Its field
	// is the class.
	CauseClassNotAllowed metav1.CauseType = "ClassNotAllowed"
	// CauseOnHold means that an administrator keeps the namespace from being deleted. Its
	// message is the reason of the hold.
	CauseOnHold metav1.CauseType = "OnHold"
	// CauseNotContained means that the broker rejects all changes because the admission
	// policies do not restrict it.
	CauseNotContained metav1.CauseType = "NotContained"
)

// AddToScheme adds the types of this package to s.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &TemporaryNamespace{}, &TemporaryNamespaceList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
