// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ResourceTemporaryNamespaces is the resource name that counts temporary namespaces in
// a budget.
const ResourceTemporaryNamespaces corev1.ResourceName = "count/temporarynamespaces"

// NamespaceBudget limits the total resources of temporary namespaces. A namespace is
// charged the hard limits of its quotas, used or not, from its creation until it is
// gone; the creation of a namespace that would exceed the budget is rejected.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=namespacebudgets,singular=namespacebudget,shortName=nsbudget,scope=Cluster
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Full",type=string,JSONPath=`.status.full`
// +kubebuilder:printcolumn:name="Nearest",type=string,JSONPath=`.status.nearest`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Classes",type=string,priority=1,JSONPath=`.spec.classNames`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type NamespaceBudget struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the set of limits of the budget.
	Spec NamespaceBudgetSpec `json:"spec"`
	// Status is the usage of the budget. One replica of the broker writes it, at most
	// once a second. It is informational and is not used to admit namespaces.
	// +optional
	Status NamespaceBudgetStatus `json:"status,omitempty"`
}

// NamespaceBudgetSpec is the set of limits of a budget. The keys are those of
// ResourceQuota, and count/temporarynamespaces. If a budget limits a key for which a
// class has no quota, namespaces of that class cannot be created, because their usage
// would be unbounded.
//
// +kubebuilder:validation:XValidation:rule="has(self.total) || has(self.perUser) || has(self.groups)",message="at least one of total, perUser and groups is required"
type NamespaceBudgetSpec struct {
	// Description is a one-line description of the purpose of the budget.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// ClassNames are the names of the classes whose namespaces count. If omitted,
	// namespaces of all classes count.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	ClassNames []string `json:"classNames,omitempty"`

	// Total is the limit for all namespaces together.
	// +optional
	Total corev1.ResourceList `json:"total,omitempty"`

	// PerUser is the limit for the namespaces of each single user. A namespace is
	// charged to the user who created it, even if a group owns it.
	// +optional
	PerUser corev1.ResourceList `json:"perUser,omitempty"`

	// Groups are limits for the members of a group together. The groups of the creator
	// that budgets name are recorded when a namespace is created, and charged until it
	// is gone.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Groups []GroupLimit `json:"groups,omitempty"`
}

// GroupLimit is a limit for the members of a group together.
type GroupLimit struct {
	// Name is the name of the group, as kube-apiserver authenticates it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Hard is the set of limits of the group.
	Hard corev1.ResourceList `json:"hard"`
}

// NamespaceBudgetStatus is the usage of a budget.
type NamespaceBudgetStatus struct {
	// ObservedGeneration is the generation of the spec that the rest of the status
	// refers to.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Namespaces is the number of namespaces that count in the budget.
	// +optional
	Namespaces int32 `json:"namespaces"`

	// Hard is the set of limits for all namespaces together, as in spec.total.
	// +optional
	Hard corev1.ResourceList `json:"hard,omitempty"`

	// Used is the amount charged to spec.total, by key.
	// +optional
	Used corev1.ResourceList `json:"used,omitempty"`

	// UsedByOne is the highest amount charged to any single user, for each key of
	// spec.perUser.
	// +optional
	UsedByOne corev1.ResourceList `json:"usedByOne,omitempty"`

	// Groups is the usage of the groups of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	Groups []GroupUsage `json:"groups,omitempty"`

	// Full is the usage, as a percentage, of the limit that is nearest to exhaustion,
	// such as 92%.
	// +optional
	Full string `json:"full,omitempty"`

	// Nearest is the limit that is nearest to exhaustion, with its usage, such as
	// "requests.cpu 46 of 50".
	// +optional
	Nearest string `json:"nearest,omitempty"`

	// Reporter is the name of the broker replica that wrote this status.
	// +optional
	Reporter string `json:"reporter,omitempty"`

	// Conditions are the current conditions of the budget; Ready reports whether the
	// budget is valid and in force.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// GroupUsage is the usage of the members of a group together.
type GroupUsage struct {
	// Name is the name of the group.
	Name string `json:"name"`
	// Used is the amount charged to the group, by key.
	// +optional
	Used corev1.ResourceList `json:"used,omitempty"`
}

// These are the reasons of ConditionReady of a budget.
const (
	// ReasonInForce means that the budget is in force.
	ReasonInForce = "InForce"
	// ReasonInvalidLimit means that the budget is invalid; the message says why. Until
	// it is corrected, no namespaces of its classes can be created.
	ReasonInvalidLimit = "InvalidLimit"
	// ReasonClassesDoNotFit means that the budget is in force and prevents at least one
	// class from creating any namespace; the message says which class and why.
	ReasonClassesDoNotFit = "ClassesDoNotFit"
)

// NamespaceBudgetList is a list of NamespaceBudgets.
//
// +kubebuilder:object:root=true
type NamespaceBudgetList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []NamespaceBudget `json:"items"`
}
