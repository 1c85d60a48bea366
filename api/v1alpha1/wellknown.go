// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels of a temporary Namespace.
const (
	// LabelManaged is "true" on every Namespace and guard rail that the broker created,
	// and on no other object; an admission policy enforces this.
	LabelManaged = "tenama.dev/managed"
	// LabelOwner is the OwnerHash of the owner, or the GroupHash of the group that owns
	// the namespace; the names are in AnnotationOwner and AnnotationOwnerGroup.
	LabelOwner = "tenama.dev/owner-hash"
	// LabelClass is the name of the NamespaceClass.
	LabelClass = "tenama.dev/class"
)

// Annotations of a temporary Namespace. They hold all its state.
const (
	// AnnotationOwner is the name of the user who created the namespace, and who owns
	// it unless a group does. Immutable.
	AnnotationOwner = "tenama.dev/owner"
	// AnnotationOwnerGroup is the name of the group that owns the namespace, if a group
	// owns it. Immutable.
	AnnotationOwnerGroup = "tenama.dev/owner-group"
	// AnnotationOwnerRole is the ClusterRole that the owner is bound to. Immutable.
	AnnotationOwnerRole = "tenama.dev/owner-role"
	// AnnotationPodSecurity is the Pod Security Standard of the class; the label that
	// enforces it can be reset to this value, and to no other. Immutable.
	AnnotationPodSecurity = "tenama.dev/pod-security"
	// AnnotationNetworkPolicyAccess is ReadWrite if the class allows tenants to write
	// network policies. Immutable.
	AnnotationNetworkPolicyAccess = "tenama.dev/network-policy-access"
	// AnnotationUserKeys is the comma-separated list of the keys of labels and
	// annotations that are copied from the TemporaryNamespace to the Namespace.
	// Immutable.
	AnnotationUserKeys = "tenama.dev/user-keys"
	// AnnotationGuardRails, on the broker's own RoleBinding in a namespace, holds the
	// objects of the class as of the creation of the namespace, as JSON.
	AnnotationGuardRails = "tenama.dev/guard-rails"
	// AnnotationRequestID identifies the request that created the namespace, so that a
	// retry finds the namespace. Clients set it on the TemporaryNamespace. Immutable.
	AnnotationRequestID = "tenama.dev/request-id"
	// AnnotationClassRevision is the revision of the class that the namespace has.
	AnnotationClassRevision = "tenama.dev/class-revision"
	// AnnotationParameters is spec.parameters, as JSON. Immutable.
	AnnotationParameters = "tenama.dev/parameters"
	// AnnotationGroups is the list, as JSON, of the groups of the creator that budgets
	// named when the namespace was created. Immutable.
	AnnotationGroups = "tenama.dev/groups"
	// AnnotationReserved holds the amounts that the namespace is charged against the
	// budgets, by key, as JSON.
	AnnotationReserved = "tenama.dev/reserved"
	// AnnotationRefused marks a namespace that did not fit into a budget: it is not
	// charged, and is deleted.
	AnnotationRefused = "tenama.dev/refused"
	// AnnotationLifetime is a LifetimeType; if absent, Fixed. Immutable.
	AnnotationLifetime = "tenama.dev/lifetime"
	// AnnotationExtensions is the number of times that the namespace has been extended.
	AnnotationExtensions = "tenama.dev/extensions"
	// AnnotationMaximumExtensions is the maximum number of extensions. Immutable.
	AnnotationMaximumExtensions = "tenama.dev/max-extensions"
	// AnnotationWait, on a TemporaryNamespace to be created, is the maximum time that
	// its creator waits for capacity, such as 10m. It is not stored.
	AnnotationWait = "tenama.dev/wait-for-capacity"
	// AnnotationTTL is spec.ttlSeconds, in seconds; absent if the namespace does not
	// expire.
	AnnotationTTL = "tenama.dev/ttl-seconds"
	// AnnotationMaximumTTL is the maximum lifetime, in seconds: from creation or, if
	// the lifetime is Renewable, from each extension. Immutable.
	AnnotationMaximumTTL = "tenama.dev/max-ttl-seconds"
	// AnnotationExtendUntil is spec.extendUntil, RFC 3339 in UTC.
	AnnotationExtendUntil = "tenama.dev/extend-until"
	// AnnotationLease is spec.leaseDurationSeconds, in seconds; absent without a lease.
	AnnotationLease = "tenama.dev/lease-seconds"
	// AnnotationIdleTTL is status.idleTTLSeconds, in seconds. Immutable.
	AnnotationIdleTTL = "tenama.dev/idle-ttl-seconds"
	// AnnotationRenewed is spec.renewTime, RFC 3339 in UTC.
	AnnotationRenewed = "tenama.dev/renewed"
	// AnnotationHistory is status.history, as JSON.
	AnnotationHistory = "tenama.dev/history"
	// AnnotationReason is spec.reason.
	AnnotationReason = "tenama.dev/reason"
	// AnnotationReady is "true" once the owner can use the namespace.
	AnnotationReady = "tenama.dev/ready"
	// AnnotationOwnerAccess is OwnerAccessMissing while the owner has no access to the
	// namespace, although it is complete.
	AnnotationOwnerAccess = "tenama.dev/owner-access"
	// AnnotationAccessRevoked is the time, RFC 3339 in UTC, at which the broker revoked all
	// access to a namespace whose deletion hangs.
	AnnotationAccessRevoked = "tenama.dev/access-revoked"
	// AnnotationHold is the reason why an administrator keeps the namespace from expiring
	// and from being deleted. Administrators write it themselves; the broker cannot, and an
	// admission policy denies to all users the deletion of a Namespace that has it.
	AnnotationHold = "tenama.dev/hold"
	// AnnotationHeldBy is the name of that administrator. An admission policy compares it
	// with the user who writes it.
	AnnotationHeldBy = "tenama.dev/held-by"
	// AnnotationHeldSince is the time of the hold, RFC 3339 in UTC. Optional.
	AnnotationHeldSince = "tenama.dev/held-since"
	// AnnotationCreator is the name of the broker replica that creates the namespace.
	AnnotationCreator = "tenama.dev/creator"
	// AnnotationObject holds the metadata of the TemporaryNamespace that its clients
	// set (labels, annotations, managed fields), as JSON.
	AnnotationObject = "tenama.dev/object"
)

// Annotations of ClusterRole ClusterRoleBroker, by which administrators instruct the
// broker. The broker reads them when a namespace is due, and cannot write them.
const (
	// AnnotationPauseExpiry stops all expiries while it is present: no namespace is deleted
	// because it expired, and no access is revoked because a deletion hangs. Its value is
	// the reason, and may be empty.
	AnnotationPauseExpiry = "tenama.dev/pause-expiry"
	// AnnotationConfirmExpiry is a time, RFC 3339: what expired before it may be deleted,
	// however many namespaces that are.
	AnnotationConfirmExpiry = "tenama.dev/confirm-expiry-before"
)

// OwnerAccessMissing is the value of AnnotationOwnerAccess.
const OwnerAccessMissing = "Missing"

// DefaultPrefix is the prefix of the names of all temporary namespaces, unless the
// installation sets another one.
const DefaultPrefix = "tmp-"

// HeaderVersion is the header of the broker's responses with its version.
const HeaderVersion = "Tenama-Version"

// ReservedSuffix is a name suffix that no namespace may have. The broker uses such
// names to verify that the admission policies, which exempt it for all other names, are
// in force.
const ReservedSuffix = "-tenama-probe"

// Names of objects that deploy/ installs and that the broker creates in each namespace.
const (
	// ClusterRoleBroker grants the cluster-wide permissions of the broker.
	ClusterRoleBroker = "tenama:broker"
	// ClusterRoleManager grants the permissions of the broker inside a namespace that
	// it created; RoleBinding RoleBindingBroker binds it there.
	ClusterRoleManager = "tenama:namespace-manager"
	// RoleBindingBroker is the broker's own RoleBinding in a namespace. It carries
	// AnnotationGuardRails.
	RoleBindingBroker = "tenama:broker"
	// RoleBindingOwner binds the role of the class to the owner.
	RoleBindingOwner = "tenama:owner"
)

// Recommended labels of Kubernetes that tenama sets.
const (
	// LabelManagedBy is the name of the tool that manages an object.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy, and the field manager, of the broker.
	ManagedBy = "tenama"
	// LabelPodSecurity is the Pod Security Standard that is enforced in a namespace.
	LabelPodSecurity = "pod-security.kubernetes.io/enforce"
)
