// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
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

	// ClassRevision asks for a revision of the class. Left out, a namespace keeps the
	// one that it was made with when the class changes. To write the present one
	// (status.revision of the class) is to refresh the namespace: its objects become
	// those of the class as it is now. Any other is refused.
	// +optional
	ClassRevision string `json:"classRevision,omitempty"`

	// Parameters are choices that the class leaves to its users, by name. What is
	// left out has the default of the class. They cannot be changed afterwards.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Parameters map[string]string `json:"parameters,omitempty"`

	// OwnerGroup makes a group the owner, in place of the user who creates the
	// namespace: one of the groups of that user, or any for those who may administer,
	// and none of the system. It cannot be changed afterwards.
	// +optional
	OwnerGroup string `json:"ownerGroup,omitempty"`

	// TTLSeconds is how long the namespace lives, in seconds from its creation.
	// Empty means the default of the class. It may be raised up to the maximum
	// of the class, never lowered: delete the namespace to end it early. A class
	// whose namespaces do not expire has none.
	// +optional
	TTLSeconds *int64 `json:"ttlSeconds,omitempty"`

	// ExtendUntil keeps the namespace at least until this time (RFC 3339), if
	// that is later than its TTL, up to status.maximumExpirationTimestamp or, where
	// the lifetime is Renewable, status.maximumTTLSeconds from now. It is what `kubectl tenama extend` writes. A manifest leaves it out: to apply or
	// replace by one that does takes back no extension.
	// +optional
	ExtendUntil *metav1.Time `json:"extendUntil,omitempty"`

	// LeaseDurationSeconds, if it is set at creation, ends the namespace earlier: so
	// long after RenewTime (or its creation), unless that moves. Whoever holds the
	// namespace writes RenewTime again and again while they need it, as for a Lease of
	// coordination.k8s.io; that is no extension, and reaches no further than the rest
	// of the lifetime does. With a lease an empty TTLSeconds means the maximum of the
	// class. It may be raised afterwards, to let go of the namespace for longer; it
	// can neither be lowered nor set later.
	// +optional
	LeaseDurationSeconds *int64 `json:"leaseDurationSeconds,omitempty"`

	// RenewTime is when the holder of the lease was last seen (RFC 3339, whole
	// seconds). It never goes back, and is not ahead of the present time.
	// +optional
	RenewTime *metav1.Time `json:"renewTime,omitempty"`

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

// LifetimeType says what bounds the life of a namespace.
// +kubebuilder:validation:Enum=Fixed;Renewable;Unbounded
type LifetimeType string

// The lifetimes of a TemporaryNamespace.
const (
	// LifetimeFixed: there is a latest time, fixed at creation.
	LifetimeFixed LifetimeType = "Fixed"
	// LifetimeRenewable: an extension can reach so far from the moment it is made.
	LifetimeRenewable LifetimeType = "Renewable"
	// LifetimeUnbounded: it ends by deletion only.
	LifetimeUnbounded LifetimeType = "Unbounded"
)

// Conditions of a TemporaryNamespace, and their reasons.
const (
	// ConditionReady is true from the moment its owner can use the namespace
	// until its deletion begins.
	ConditionReady = "Ready"

	ReasonProvisioning = "Provisioning"
	ReasonProvisioned  = "Provisioned"
	ReasonTerminating  = "Terminating"
	ReasonRefused      = "Refused"
)

// TemporaryNamespaceStatus is what was granted.
type TemporaryNamespaceStatus struct {
	// Phase is Pending, Ready or Terminating.
	// +optional
	Phase TemporaryNamespacePhase `json:"phase,omitempty"`

	// Owner is the name of the user who created it, and who has access unless a group
	// does.
	// +optional
	Owner string `json:"owner,omitempty"`

	// OwnerGroup is the group whose members own it and have access, if one does.
	// +optional
	OwnerGroup string `json:"ownerGroup,omitempty"`

	// ClassRevision is the revision of the class that the namespace has.
	// +optional
	ClassRevision string `json:"classRevision,omitempty"`

	// Lifetime is that of the class when the namespace was made: Fixed, Renewable or
	// Unbounded.
	// +optional
	Lifetime LifetimeType `json:"lifetime,omitempty"`

	// ExpirationTimestamp is when the namespace is deleted. Empty if it does not
	// expire, or if that cannot be read from the Namespace, which then is kept.
	// +optional
	ExpirationTimestamp *metav1.Time `json:"expirationTimestamp,omitempty"`

	// MaximumExpirationTimestamp is the latest time that an extension can reach.
	// It was fixed at creation. Empty if the lifetime is not Fixed.
	// +optional
	MaximumExpirationTimestamp *metav1.Time `json:"maximumExpirationTimestamp,omitempty"`

	// MaximumTTLSeconds is, where the lifetime is Renewable, how far from now an
	// extension can reach.
	// +optional
	MaximumTTLSeconds *int64 `json:"maximumTTLSeconds,omitempty"`

	// Extensions is how often the namespace has been extended.
	// +optional
	Extensions int32 `json:"extensions,omitempty"`

	// MaximumExtensions is how often it may be. Empty if that is not bounded.
	// +optional
	MaximumExtensions *int32 `json:"maximumExtensions,omitempty"`

	// Reserved is what the namespace takes of the budgets of the cluster, used or
	// not, until it is gone.
	// +optional
	Reserved map[string]resource.Quantity `json:"reserved,omitempty"`

	// ObservedGeneration is the generation of the spec that the rest of the
	// status answers; it is always the present one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the namespace; Ready is always present. While it is being deleted,
	// those of the Namespace are among them that tell what keeps it from going, such as
	// NamespaceFinalizersRemaining.
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
