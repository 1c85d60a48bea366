// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels of a Namespace that tenama lends out.
const (
	// LabelManaged is "true" on every Namespace and guard rail that the broker
	// made, and on nothing else: a policy sees to that.
	LabelManaged = "tenama.dev/managed"
	// LabelOwner is OwnerHash of the owner, or GroupHash of the group that owns it;
	// the names themselves are in AnnotationOwner and AnnotationOwnerGroup.
	LabelOwner = "tenama.dev/owner-hash"
	// LabelClass is the name of the NamespaceClass.
	LabelClass = "tenama.dev/class"
)

// Annotations of a Namespace that tenama lends out: all its state.
const (
	// AnnotationOwner is the name of the user who created the namespace, and owns it
	// unless a group does. Immutable.
	AnnotationOwner = "tenama.dev/owner"
	// AnnotationOwnerGroup is the group that owns the namespace, if one does.
	// Immutable.
	AnnotationOwnerGroup = "tenama.dev/owner-group"
	// AnnotationOwnerRole is the ClusterRole that the owner is bound to. Immutable.
	AnnotationOwnerRole = "tenama.dev/owner-role"
	// AnnotationPodSecurity is the Pod Security Standard that the class asked for;
	// the label that enforces it may be put back to it, and to nothing else.
	// Immutable.
	AnnotationPodSecurity = "tenama.dev/pod-security"
	// AnnotationNetworkPolicyAccess is ReadWrite where the class lets tenants write
	// network policies. Immutable.
	AnnotationNetworkPolicyAccess = "tenama.dev/network-policy-access"
	// AnnotationUserKeys lists, with commas, the keys of labels and annotations
	// that pass from the TemporaryNamespace to the Namespace. Immutable.
	AnnotationUserKeys = "tenama.dev/user-keys"
	// AnnotationGuardRails, on the broker's own RoleBinding in a namespace, holds
	// the objects of the class as they were when the namespace was made, as JSON.
	AnnotationGuardRails = "tenama.dev/guard-rails"
	// AnnotationRequestID identifies the request that created the namespace, so
	// that a repeated one finds it. Clients set it on the TemporaryNamespace.
	// Immutable.
	AnnotationRequestID = "tenama.dev/request-id"
	// AnnotationClassRevision is the revision of the class that the namespace has.
	AnnotationClassRevision = "tenama.dev/class-revision"
	// AnnotationParameters is spec.parameters, as JSON. Immutable.
	AnnotationParameters = "tenama.dev/parameters"
	// AnnotationGroups lists, as JSON, the groups of the creator that budgets named
	// when the namespace was made. Immutable.
	AnnotationGroups = "tenama.dev/groups"
	// AnnotationReserved is what the namespace takes of the budgets: amounts by key,
	// as JSON.
	AnnotationReserved = "tenama.dev/reserved"
	// AnnotationRefused, on a namespace that did not fit into a budget, says so: it
	// counts for nothing and is deleted.
	AnnotationRefused = "tenama.dev/refused"
	// AnnotationLifetime is a LifetimeType; absent is Fixed. Immutable.
	AnnotationLifetime = "tenama.dev/lifetime"
	// AnnotationExtensions is how often the namespace has been extended.
	AnnotationExtensions = "tenama.dev/extensions"
	// AnnotationMaximumExtensions is how often it may be. Immutable.
	AnnotationMaximumExtensions = "tenama.dev/max-extensions"
	// AnnotationWait, on a TemporaryNamespace that is to be created, says how long its
	// creator is ready to wait for capacity, such as 10m. It is not kept.
	AnnotationWait = "tenama.dev/wait-for-capacity"
	// AnnotationTTL is spec.ttlSeconds, in seconds; absent if it does not expire.
	AnnotationTTL = "tenama.dev/ttl-seconds"
	// AnnotationMaximumTTL bounds the lifetime, in seconds: from creation, or from
	// each extension if it is Renewable. Immutable.
	AnnotationMaximumTTL = "tenama.dev/max-ttl-seconds"
	// AnnotationExtendUntil is spec.extendUntil, RFC 3339 in UTC.
	AnnotationExtendUntil = "tenama.dev/extend-until"
	// AnnotationLease is spec.leaseDurationSeconds, in seconds; absent if nobody holds a
	// lease.
	AnnotationLease = "tenama.dev/lease-seconds"
	// AnnotationRenewed is spec.renewTime, RFC 3339 in UTC.
	AnnotationRenewed = "tenama.dev/renewed"
	// AnnotationReason is spec.reason.
	AnnotationReason = "tenama.dev/reason"
	// AnnotationReady is "true" once the owner can use the namespace.
	AnnotationReady = "tenama.dev/ready"
	// AnnotationCreator is the broker replica that is making the namespace.
	AnnotationCreator = "tenama.dev/creator"
	// AnnotationObject holds the metadata of the TemporaryNamespace itself that
	// belongs to its clients (labels, annotations, managed fields), as JSON.
	AnnotationObject = "tenama.dev/object"
)

// DefaultPrefix begins the name of every namespace that tenama lends out,
// unless an installation chose another.
const DefaultPrefix = "tmp-"

// ReservedSuffix ends names that no namespace may have: with them the broker
// proves that the policies, which exempt it otherwise, are there.
const ReservedSuffix = "-tenama-probe"

// Names of what deploy/ installs and of what the broker makes in each namespace.
const (
	// ClusterRoleBroker holds the rights of the broker in the cluster.
	ClusterRoleBroker = "tenama:broker"
	// ClusterRoleManager holds the rights of the broker inside a namespace that it
	// made; RoleBinding RoleBindingBroker binds it there.
	ClusterRoleManager = "tenama:namespace-manager"
	// RoleBindingBroker is the broker's own RoleBinding in a namespace. It carries
	// AnnotationGuardRails.
	RoleBindingBroker = "tenama:broker"
	// RoleBindingOwner binds the role of the class to the owner.
	RoleBindingOwner = "tenama:owner"
)

// Recommended labels of Kubernetes that tenama sets.
const (
	// LabelManagedBy names the tool that manages an object.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy, and the field manager, of the broker.
	ManagedBy = "tenama"
	// LabelPodSecurity enforces a Pod Security Standard in a namespace.
	LabelPodSecurity = "pod-security.kubernetes.io/enforce"
)
