// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TemporaryNamespace represents a Namespace of the same name that is lent to its owner
// until it expires. The labels and annotations of a TemporaryNamespace are not copied
// to the Namespace, except for the keys that its class allows.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=temporarynamespaces,singular=temporarynamespace,shortName=tns,scope=Cluster
type TemporaryNamespace struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired state of the namespace, as requested by the owner.
	// +optional
	Spec TemporaryNamespaceSpec `json:"spec,omitempty"`
	// Status is the state that was granted. Clients cannot write it.
	// +optional
	Status TemporaryNamespaceStatus `json:"status,omitempty"`
}

// TemporaryNamespaceSpec is the desired state of a TemporaryNamespace, as requested by
// the owner.
type TemporaryNamespaceSpec struct {
	// ClassName is the name of the NamespaceClass that determines the quota, limits,
	// network policies, pod security level and maximum lifetime of the namespace. If
	// empty, the default class is used. Immutable.
	// +optional
	ClassName string `json:"className,omitempty"`

	// ClassRevision requests a revision of the class. If omitted, the namespace keeps
	// the revision that it was created with when the class changes. Setting it to the
	// current revision (status.revision of the class) refreshes the namespace: its
	// objects are replaced by the current objects of the class. Any other value is
	// rejected.
	// +optional
	ClassRevision string `json:"classRevision,omitempty"`

	// Parameters are the values chosen for the parameters of the class, by parameter
	// name. An omitted parameter has the default of the class. Immutable.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Parameters map[string]string `json:"parameters,omitempty"`

	// OwnerGroup makes a group the owner of the namespace, instead of the user who
	// creates it. It must be one of the groups of that user; users with the verb
	// administer can specify any group. System groups are rejected. Immutable.
	// +optional
	OwnerGroup string `json:"ownerGroup,omitempty"`

	// TTLSeconds is the lifetime of the namespace in seconds, counted from its
	// creation. If empty, the default of the class is used. It can be raised up to the
	// maximum of the class and never lowered: to end the namespace early, delete it. It
	// must be empty if the namespaces of the class do not expire.
	// +optional
	TTLSeconds *int64 `json:"ttlSeconds,omitempty"`

	// ExtendUntil keeps the namespace at least until this time (RFC 3339), if it is
	// later than the end of the TTL. It can reach up to
	// status.maximumExpirationTimestamp or, if the lifetime is Renewable, up to
	// status.maximumTTLSeconds from now. `kubectl tenama extend` sets this field.
	// Manifests usually omit it: applying or replacing with a manifest that omits it
	// does not revoke an extension.
	// +optional
	ExtendUntil *metav1.Time `json:"extendUntil,omitempty"`

	// LeaseDurationSeconds, if set at creation, makes the namespace expire this many
	// seconds after renewTime (or its creation) unless the lease is renewed. The holder
	// of the lease updates renewTime periodically while it needs the namespace, as for
	// a Lease of coordination.k8s.io. A renewal is not an extension, and cannot exceed
	// the limits of the lifetime. With a lease, an empty ttlSeconds means the maximum
	// of the class. It can be raised later, to keep the namespace longer without a
	// renewal; it cannot be lowered, and cannot be added after creation.
	// +optional
	LeaseDurationSeconds *int64 `json:"leaseDurationSeconds,omitempty"`

	// RenewTime is the time when the holder last renewed the lease (RFC 3339, whole
	// seconds). It cannot be decreased, and cannot be in the future.
	// +optional
	RenewTime *metav1.Time `json:"renewTime,omitempty"`

	// Reason is a human-readable description by the owner of the purpose of the
	// namespace, or of the reason for its extension. At most 256 characters.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// TemporaryNamespacePhase is the phase of the lifecycle of a TemporaryNamespace.
// +kubebuilder:validation:Enum=Pending;Ready;NoAccess;Terminating
type TemporaryNamespacePhase string

// These are the valid phases of a TemporaryNamespace.
const (
	// PhasePending means that the guard rails of the namespace are being created; no
	// user has access yet.
	PhasePending TemporaryNamespacePhase = "Pending"
	// PhaseReady means that the owner can use the namespace.
	PhaseReady TemporaryNamespacePhase = "Ready"
	// PhaseNoAccess means that the namespace is complete, but its owner has no access: an
	// administrator removed the owner's RoleBinding, or restored the namespace without it.
	PhaseNoAccess TemporaryNamespacePhase = "NoAccess"
	// PhaseTerminating means that the namespace and all its contents are being deleted.
	PhaseTerminating TemporaryNamespacePhase = "Terminating"
)

// LifetimeType determines how the lifetime of a namespace is limited.
// +kubebuilder:validation:Enum=Fixed;Renewable;Unbounded
type LifetimeType string

// These are the valid lifetime types of a TemporaryNamespace.
const (
	// LifetimeFixed means that the latest expiry is fixed at creation.
	LifetimeFixed LifetimeType = "Fixed"
	// LifetimeRenewable means that the maximum is counted from the time of each
	// extension.
	LifetimeRenewable LifetimeType = "Renewable"
	// LifetimeUnbounded means that the namespace ends only by deletion.
	LifetimeUnbounded LifetimeType = "Unbounded"
)

// These are the condition types of a TemporaryNamespace, and their reasons.
const (
	// ConditionReady is true from the moment when the owner can use the namespace until
	// its deletion begins.
	ConditionReady = "Ready"

	// ConditionAccessRevoked is true if the deletion of the namespace has taken so long
	// that the broker removed all RoleBindings and ServiceAccounts from it. It is absent
	// otherwise.
	ConditionAccessRevoked = "AccessRevoked"

	// ConditionOnHold is true while an administrator keeps the namespace from expiring and
	// from being deleted. It is absent otherwise.
	ConditionOnHold = "OnHold"

	ReasonDeletionOverdue = "DeletionOverdue"
	ReasonAdministrator   = "Administrator"

	ReasonProvisioning = "Provisioning"
	ReasonProvisioned  = "Provisioned"
	ReasonOwnerAccess  = "OwnerAccessMissing"
	ReasonTerminating  = "Terminating"
	ReasonRefused      = "Refused"
)

// ExtensionRecord is one extension of a TemporaryNamespace.
type ExtensionRecord struct {
	// Time is the time of the extension.
	Time metav1.Time `json:"time"`

	// User is the name of the user who extended the namespace.
	User string `json:"user"`

	// ExpirationTimestamp is the time at which the namespace expired from then on, if its
	// lease, if it had one, was always renewed.
	ExpirationTimestamp metav1.Time `json:"expirationTimestamp"`

	// Reason is the reason that the extension set; empty if it left spec.reason as it was.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// TemporaryNamespaceStatus is the state that was granted to a TemporaryNamespace.
type TemporaryNamespaceStatus struct {
	// Phase is the phase of the namespace: Pending, Ready, NoAccess or Terminating.
	// +optional
	Phase TemporaryNamespacePhase `json:"phase,omitempty"`

	// Owner is the name of the user who created the namespace. This user has access
	// unless a group owns the namespace.
	// +optional
	Owner string `json:"owner,omitempty"`

	// OwnerGroup is the group whose members own the namespace and have access to it, if
	// a group owns it.
	// +optional
	OwnerGroup string `json:"ownerGroup,omitempty"`

	// ClassRevision is the revision of the class that the namespace has.
	// +optional
	ClassRevision string `json:"classRevision,omitempty"`

	// Lifetime is the lifetime type of the class when the namespace was created: Fixed,
	// Renewable or Unbounded.
	// +optional
	Lifetime LifetimeType `json:"lifetime,omitempty"`

	// ExpirationTimestamp is the time when the namespace expires, and is deleted: later
	// only if the broker cannot delete it then, if many are overdue, or if an administrator
	// has paused the expiries or holds the namespace. Empty if the namespace does not
	// expire, or if the expiry cannot be read from the Namespace; such a namespace is kept.
	// +optional
	ExpirationTimestamp *metav1.Time `json:"expirationTimestamp,omitempty"`

	// MaximumExpirationTimestamp is the latest time that an extension can reach. It was
	// fixed at creation. Empty if the lifetime is not Fixed.
	// +optional
	MaximumExpirationTimestamp *metav1.Time `json:"maximumExpirationTimestamp,omitempty"`

	// MaximumTTLSeconds is the maximum number of seconds from now that an extension can
	// reach. Set only if the lifetime is Renewable.
	// +optional
	MaximumTTLSeconds *int64 `json:"maximumTTLSeconds,omitempty"`

	// IdleTTLSeconds is the maximum of spec.leaseDurationSeconds. It is set if the class
	// ends namespaces that are not used; renewing spec.renewTime reports a use.
	// +optional
	IdleTTLSeconds *int64 `json:"idleTTLSeconds,omitempty"`

	// Extensions is the number of times that the namespace has been extended.
	// +optional
	Extensions int32 `json:"extensions,omitempty"`

	// MaximumExtensions is the maximum number of extensions. Empty if the number is not
	// limited.
	// +optional
	MaximumExtensions *int32 `json:"maximumExtensions,omitempty"`

	// History lists the latest extensions, the newest last: at most ten, and fewer if their
	// reasons are long. The audit log of kube-apiserver has all of them.
	// +optional
	// +listType=atomic
	History []ExtensionRecord `json:"history,omitempty"`

	// Reserved is the set of amounts charged for the namespace against the budgets of
	// the cluster. They are charged, whether used or not, until the Namespace is gone.
	// +optional
	Reserved map[string]resource.Quantity `json:"reserved,omitempty"`

	// ObservedGeneration is the generation of the spec that the rest of the status
	// reflects; it is always the current generation.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions are the current conditions of the namespace; Ready is always present.
	// OnHold is present while an administrator keeps the namespace from expiring.
	// While the namespace is being deleted, they include the conditions of the
	// Namespace that explain why its deletion has not finished, such as
	// NamespaceFinalizersRemaining; and AccessRevoked once the broker has removed all
	// access because the deletion takes too long.
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

	// Items is the list of TemporaryNamespaces that the caller is allowed to see.
	Items []TemporaryNamespace `json:"items"`
}
