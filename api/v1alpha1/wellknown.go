// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels of a Namespace that tenama lends out.
const (
	// LabelManaged is "true" on every Namespace and guard rail that the broker
	// made, and on nothing else: a policy sees to that.
	LabelManaged = "tenama.dev/managed"
	// LabelOwner is OwnerHash of the owner; the name itself is in AnnotationOwner.
	LabelOwner = "tenama.dev/owner-hash"
	// LabelClass is the name of the NamespaceClass.
	LabelClass = "tenama.dev/class"
)

// Annotations of a Namespace that tenama lends out: all its state.
const (
	// AnnotationOwner is the user name of the owner. Immutable.
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
	// AnnotationClassRevision is the revision of the class that the namespace was
	// born with.
	AnnotationClassRevision = "tenama.dev/class-revision"
	// AnnotationTTL is spec.ttlSeconds, in seconds.
	AnnotationTTL = "tenama.dev/ttl-seconds"
	// AnnotationMaximumTTL bounds the lifetime, in seconds from creation. Immutable.
	AnnotationMaximumTTL = "tenama.dev/max-ttl-seconds"
	// AnnotationExtendUntil is spec.extendUntil, RFC 3339 in UTC.
	AnnotationExtendUntil = "tenama.dev/extend-until"
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
