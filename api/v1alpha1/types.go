// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TemporaryNamespace lends one Namespace of the same name to its owner, until
// it expires. Its labels and annotations are its own: on the Namespace appear
// only those that its class lets through.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=temporarynamespaces,singular=temporarynamespace,shortName=tns,scope=Cluster
type TemporaryNamespace struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the owner asks for.
	// +optional
	Spec TemporaryNamespaceSpec `json:"spec,omitempty"`
	// Status is what was granted. Clients cannot write it.
	// +optional
	Status TemporaryNamespaceStatus `json:"status,omitempty"`
}

// TemporaryNamespaceSpec is what the owner asks for.
type TemporaryNamespaceSpec struct {
	// ClassName is the NamespaceClass that gives the namespace its quota, limits,
	// network policy, pod security and longest lifetime. Empty means the default
	// class. It cannot be changed afterwards.
	// +optional
	ClassName string `json:"className,omitempty"`

	// TTLSeconds is how long the namespace lives, in seconds from its creation.
	// Empty means the default of the class. It may be raised up to the maximum
	// of the class, never lowered: delete the namespace to end it early.
	// +optional
	TTLSeconds *int64 `json:"ttlSeconds,omitempty"`

	// ExtendUntil keeps the namespace at least until this time (RFC 3339), if
	// that is later than its TTL, up to status.maximumExpirationTimestamp. It is
	// what `kubectl tenama extend` writes. A manifest leaves it out: to apply or
	// replace by one that does takes back no extension.
	// +optional
	ExtendUntil *metav1.Time `json:"extendUntil,omitempty"`

	// Reason says in the owner's words what the namespace is for, or why it was
	// extended. At most 256 characters.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// TemporaryNamespacePhase is where a namespace stands in its life.
// +kubebuilder:validation:Enum=Pending;Ready;Terminating
type TemporaryNamespacePhase string

// The phases of a TemporaryNamespace.
const (
	// PhasePending: its guard rails are being put in place; nobody has access yet.
	PhasePending TemporaryNamespacePhase = "Pending"
	// PhaseReady: the owner can use it.
	PhaseReady TemporaryNamespacePhase = "Ready"
	// PhaseTerminating: it is being deleted, with everything in it.
	PhaseTerminating TemporaryNamespacePhase = "Terminating"
)

// Conditions of a TemporaryNamespace, and their reasons.
const (
	// ConditionReady is true from the moment its owner can use the namespace
	// until its deletion begins.
	ConditionReady = "Ready"

	ReasonProvisioning = "Provisioning"
	ReasonProvisioned  = "Provisioned"
	ReasonTerminating  = "Terminating"
)

// TemporaryNamespaceStatus is what was granted.
type TemporaryNamespaceStatus struct {
	// Phase is Pending, Ready or Terminating.
	// +optional
	Phase TemporaryNamespacePhase `json:"phase,omitempty"`

	// Owner is the name of the user who created it and who has access.
	// +optional
	Owner string `json:"owner,omitempty"`

	// ExpirationTimestamp is when the namespace is deleted. Empty if it cannot be
	// read from the Namespace, which then is kept.
	// +optional
	ExpirationTimestamp *metav1.Time `json:"expirationTimestamp,omitempty"`

	// MaximumExpirationTimestamp is the latest time that an extension can reach.
	// It was fixed at creation.
	// +optional
	MaximumExpirationTimestamp *metav1.Time `json:"maximumExpirationTimestamp,omitempty"`

	// ObservedGeneration is the generation of the spec that the rest of the
	// status answers; it is always the present one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the namespace; Ready is always present.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// TemporaryNamespaceList is a list of TemporaryNamespaces.
//
// +kubebuilder:object:root=true
type TemporaryNamespaceList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the namespaces that the caller may see.
	Items []TemporaryNamespace `json:"items"`
}
