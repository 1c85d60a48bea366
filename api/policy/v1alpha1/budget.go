// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ResourceTemporaryNamespaces counts temporary namespaces in a budget.
const ResourceTemporaryNamespaces corev1.ResourceName = "count/temporarynamespaces"

// NamespaceBudget bounds what temporary namespaces may take together. A namespace
// takes the hard limits of its quotas, used or not, from its creation until it is
// gone; who creates one that does not fit any more is refused.
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

	// Spec is what the budget allows.
	Spec NamespaceBudgetSpec `json:"spec"`
	// Status is what of it is taken. One replica of the broker writes it, at most
	// once a second; it decides nothing.
	// +optional
	Status NamespaceBudgetStatus `json:"status,omitempty"`
}

// NamespaceBudgetSpec is what a budget allows. Keys are those of ResourceQuota,
// and count/temporarynamespaces. A class that has no quota on a key which a budget
// limits cannot make namespaces: they would have no bound.
//
// +kubebuilder:validation:XValidation:rule="has(self.total) || has(self.perUser) || has(self.groups)",message="say what the budget limits: total, perUser or groups"
type NamespaceBudgetSpec struct {
	// Description says in one line what the budget is for.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// ClassNames are the classes whose namespaces count. Left out: all.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	ClassNames []string `json:"classNames,omitempty"`

	// Total is what all may take together.
	// +optional
	Total corev1.ResourceList `json:"total,omitempty"`

	// PerUser is what any one user may take: who created a namespace, also where a
	// group owns it.
	// +optional
	PerUser corev1.ResourceList `json:"perUser,omitempty"`

	// Groups are what members of a group may take together. The groups of its creator
	// that budgets name are recorded with a namespace when it is made, and charged
	// until it is gone.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Groups []GroupLimit `json:"groups,omitempty"`
}

// GroupLimit is what the members of a group may take together.
type GroupLimit struct {
	// Name of the group, as kube-apiserver knows it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Hard is the limit.
	Hard corev1.ResourceList `json:"hard"`
}

// NamespaceBudgetStatus is what of a budget is taken.
type NamespaceBudgetStatus struct {
	// ObservedGeneration is the generation that the rest is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Namespaces is how many count.
	// +optional
	Namespaces int32 `json:"namespaces"`

	// Hard is spec.total.
	// +optional
	Hard corev1.ResourceList `json:"hard,omitempty"`

	// Used is what is taken of it.
	// +optional
	Used corev1.ResourceList `json:"used,omitempty"`

	// UsedByOne is, of each key of spec.perUser, the most that one user has taken.
	// +optional
	UsedByOne corev1.ResourceList `json:"usedByOne,omitempty"`

	// Groups is what the groups of the spec have taken.
	// +optional
	// +listType=map
	// +listMapKey=name
	Groups []GroupUsage `json:"groups,omitempty"`

	// Full is how far the limit that is nearest to its end is taken, such as 92%.
	// +optional
	Full string `json:"full,omitempty"`

	// Nearest is that limit, such as "requests.cpu 46 of 50".
	// +optional
	Nearest string `json:"nearest,omitempty"`

	// Reporter is the replica of the broker that wrote this.
	// +optional
	Reporter string `json:"reporter,omitempty"`

	// Conditions of the budget; Ready says whether it is understood.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// GroupUsage is what the members of a group have taken.
type GroupUsage struct {
	// Name of the group.
	Name string `json:"name"`
	// Used is what is taken.
	// +optional
	Used corev1.ResourceList `json:"used,omitempty"`
}

// Reasons of ConditionReady of a budget.
const (
	// ReasonInForce: the budget is in force.
	ReasonInForce = "InForce"
	// ReasonInvalidLimit: the budget cannot be understood; the message says why.
	// Until it is mended nobody can create namespaces of its classes.
	ReasonInvalidLimit = "InvalidLimit"
	// ReasonClassesDoNotFit: the budget is in force, and keeps some class from
	// making any namespace; the message says which and why.
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
