// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AnnotationDefaultClass marks, with the value "true", the class that a
// TemporaryNamespace without a class gets. At most one class may carry it.
const AnnotationDefaultClass = "policy.tenama.dev/is-default-class"

// NamespaceClass is a kind of temporary namespace that administrators offer:
// how long it may live, what its owner may do, and the guard rails in it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=namespaceclasses,singular=namespaceclass,shortName=nsclass,scope=Cluster
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.policy\.tenama\.dev/is-default-class`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Lifetime",type=string,JSONPath=`.spec.lifetime.type`
// +kubebuilder:printcolumn:name="TTL",type=integer,JSONPath=`.spec.lifetime.defaultTTLSeconds`
// +kubebuilder:printcolumn:name="Maximum",type=integer,JSONPath=`.spec.lifetime.maximumTTLSeconds`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.ownerRole`
// +kubebuilder:printcolumn:name="Pod-Security",type=string,JSONPath=`.spec.podSecurity`
// +kubebuilder:printcolumn:name="Prefix",type=string,priority=1,JSONPath=`.status.prefix`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="the name of a class must be a DNS-1123 label: at most 63 characters, no dots"
type NamespaceClass struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the class gives.
	Spec NamespaceClassSpec `json:"spec"`
	// Status is what the broker found.
	// +optional
	Status NamespaceClassStatus `json:"status,omitempty"`
}

// NamespaceClassSpec is what a class gives to each of its namespaces.
type NamespaceClassSpec struct {
	// Description says in one line whom the class is for.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// Lifetime bounds how long a namespace lives.
	Lifetime Lifetime `json:"lifetime"`

	// Prefix begins the name of every namespace of the class. It must be one of
	// those that the installation has (deploy/settings); empty is the first of them.
	// +optional
	// +kubebuilder:validation:Pattern=`^[a-z0-9][-a-z0-9]{0,20}-$`
	Prefix string `json:"prefix,omitempty"`

	// Parameters are what users may choose (kubectl tenama create --set cpu=4),
	// each from a list of values. $(NAME) stands for the choice in the values of
	// objects, namespaceLabels and namespaceAnnotations; so do $(namespace) and
	// $(owner), and $$(NAME) is $(NAME) itself.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty"`

	// OwnerRole is the ClusterRole that the owner is bound to in the namespace.
	// The broker must hold the right to bind it (deploy/base/rbac.yaml).
	// +optional
	// +kubebuilder:default=admin
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	OwnerRole string `json:"ownerRole,omitempty"`

	// PodSecurity is the Pod Security Standard that the namespace enforces.
	// +optional
	// +kubebuilder:default=baseline
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`

	// NamespaceLabels are set on each Namespace. Keys under kubernetes.io, k8s.io
	// and tenama.dev are refused: they would unmake what tenama promises.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.split('/')[0].endsWith('tenama.dev') && !k.split('/')[0].endsWith('kubernetes.io') && !k.split('/')[0].endsWith('k8s.io'))",message="keys under kubernetes.io, k8s.io and tenama.dev are reserved"
	NamespaceLabels map[string]LabelValue `json:"namespaceLabels,omitempty"`

	// NamespaceAnnotations are set on each Namespace, within the same bounds.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.split('/')[0].endsWith('tenama.dev') && !k.split('/')[0].endsWith('kubernetes.io') && !k.split('/')[0].endsWith('k8s.io'))",message="keys under kubernetes.io, k8s.io and tenama.dev are reserved"
	NamespaceAnnotations map[string]AnnotationValue `json:"namespaceAnnotations,omitempty"`

	// UserKeys are the keys of labels and annotations that pass from a
	// TemporaryNamespace to its Namespace: a key, or KEY/* for all keys with that
	// prefix. Others stay on the TemporaryNamespace, so that no user can set what
	// meshes, injectors or selectors of others trust. Keys under kubernetes.io,
	// k8s.io and tenama.dev are refused, but for user.tenama.dev.
	// +optional
	// +kubebuilder:default={"user.tenama.dev/*"}
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/(\*|[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)|[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$`
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.split('/')[0] == 'user.tenama.dev' || !k.contains('/') || !k.split('/')[0].endsWith('tenama.dev') && !k.split('/')[0].endsWith('kubernetes.io') && !k.split('/')[0].endsWith('k8s.io'))",message="keys under kubernetes.io, k8s.io and tenama.dev are reserved, but for user.tenama.dev"
	// +listType=set
	UserKeys []string `json:"userKeys,omitempty"`

	// NetworkPolicyAccess says whether tenants may write network policies of their
	// own. Policies add up, so whoever may write one can open the namespace: with
	// ReadWrite the class's own policies are defaults, not limits.
	// +optional
	// +kubebuilder:default=ReadOnly
	NetworkPolicyAccess NetworkPolicyAccess `json:"networkPolicyAccess,omitempty"`

	// Objects are the guard rails: complete manifests, without a namespace, that
	// each namespace receives before its owner has access. Kinds: ResourceQuota,
	// LimitRange, NetworkPolicy, ServiceAccount.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:XPreserveUnknownFields
	// +kubebuilder:validation:items:Type=object
	Objects []runtime.RawExtension `json:"objects,omitempty"`
}

// LifetimeType says from when the longest life is counted.
//
// +kubebuilder:validation:Enum=Fixed;Renewable;Unbounded
type LifetimeType string

// The types of a lifetime.
const (
	// LifetimeFixed counts the maximum from creation: it is the longest life,
	// extensions included.
	LifetimeFixed LifetimeType = "Fixed"
	// LifetimeRenewable counts the maximum from the moment of each extension: a
	// namespace that somebody goes on to extend goes on to live.
	LifetimeRenewable LifetimeType = "Renewable"
	// LifetimeUnbounded ends by deletion only: for customers and teams that stay.
	LifetimeUnbounded LifetimeType = "Unbounded"
)

// Lifetime bounds how long a namespace lives, in seconds.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Unbounded' || has(self.defaultTTLSeconds) && has(self.maximumTTLSeconds)",message="defaultTTLSeconds and maximumTTLSeconds are required, unless type is Unbounded"
// +kubebuilder:validation:XValidation:rule="self.type != 'Unbounded' || !has(self.defaultTTLSeconds) && !has(self.maximumTTLSeconds) && !has(self.maximumExtensions)",message="an Unbounded lifetime has no defaultTTLSeconds, maximumTTLSeconds or maximumExtensions"
// +kubebuilder:validation:XValidation:rule="!has(self.defaultTTLSeconds) || !has(self.maximumTTLSeconds) || self.maximumTTLSeconds >= self.defaultTTLSeconds",message="maximumTTLSeconds must not be below defaultTTLSeconds"
type Lifetime struct {
	// Type is Fixed, Renewable or Unbounded. It is fixed in each namespace when that
	// is made.
	// +optional
	// +kubebuilder:default=Fixed
	Type LifetimeType `json:"type,omitempty"`

	// DefaultTTLSeconds is how long a namespace lives whose creator says nothing.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3162240000
	DefaultTTLSeconds int64 `json:"defaultTTLSeconds,omitempty"`

	// MaximumTTLSeconds is the longest possible life: from creation, extensions
	// included, if the type is Fixed; from the moment of each extension if it is
	// Renewable. Raising it later does not reach namespaces that live already.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3162240000
	MaximumTTLSeconds int64 `json:"maximumTTLSeconds,omitempty"`

	// MaximumExtensions is how often a namespace may be extended. Left out: as often
	// as its longest life allows.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MaximumExtensions *int32 `json:"maximumExtensions,omitempty"`
}

// Parameter is a choice that a class leaves to its users.
//
// +kubebuilder:validation:XValidation:rule="!has(self.default) || self.default in self.values",message="default must be one of values"
// +kubebuilder:validation:XValidation:rule="!(self.name in ['namespace', 'owner'])",message="namespace and owner are given, and cannot be parameters"
type Parameter struct {
	// Name by which users choose, and by which objects refer to the choice.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z][A-Za-z0-9]*$`
	Name string `json:"name"`

	// Description says in one line what the choice means.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// Values are the choices.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(v, !v.contains('$('))",message="a value is taken as it is and must not contain $("
	// +listType=set
	Values []string `json:"values"`

	// Default is the choice of those who say nothing. Left out: they have to choose.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Default *string `json:"default,omitempty"`
}

// PodSecurityLevel is a Pod Security Standard.
//
// +kubebuilder:validation:Enum=baseline;restricted
type PodSecurityLevel string

// NetworkPolicyAccess is what tenants may do with network policies.
//
// +kubebuilder:validation:Enum=ReadOnly;ReadWrite
type NetworkPolicyAccess string

// NetworkPolicyReadWrite lets tenants write network policies of their own.
const NetworkPolicyReadWrite NetworkPolicyAccess = "ReadWrite"

// LabelValue is the value of a label; it may hold $(NAME) of parameters.
//
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[-A-Za-z0-9_.$()]*$`
type LabelValue string

// AnnotationValue is the value of an annotation; it may hold $(NAME) of
// parameters, $(namespace) and $(owner).
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// ConditionReady is true while the class can make namespaces.
const ConditionReady = "Ready"

// Reasons of ConditionReady.
const (
	// ReasonUsable: the class can make namespaces.
	ReasonUsable = "Usable"
	// ReasonPrefixNotContained: the policies do not let the broker make namespaces
	// with spec.prefix; the message names those that they do.
	ReasonPrefixNotContained = "PrefixNotContained"
	// ReasonInvalidObject: an entry of spec.objects cannot work; the message says
	// which and why.
	ReasonInvalidObject = "InvalidObject"
	// ReasonRoleNotBindable: RBAC or the containment policy does not let the
	// broker bind spec.ownerRole; the message says which.
	ReasonRoleNotBindable = "RoleNotBindable"
	// ReasonSeveralDefaults: more than one class is marked as the default.
	ReasonSeveralDefaults = "SeveralDefaults"
)

// NamespaceClassStatus is what the broker found.
type NamespaceClassStatus struct {
	// ObservedGeneration is the generation that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Revision identifies what the spec gives to a namespace, its lifetime left out,
	// which no later revision changes; a namespace records the one that it has.
	// +optional
	Revision string `json:"revision,omitempty"`

	// Prefix begins the name of every namespace of the class.
	// +optional
	Prefix string `json:"prefix,omitempty"`

	// Reserved is what a namespace of the class takes of the budgets, with the
	// default of each parameter: the hard limits of its quotas, and itself.
	// +optional
	Reserved corev1.ResourceList `json:"reserved,omitempty"`

	// Conditions of the class; Ready says whether it can make namespaces.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NamespaceClassList is a list of NamespaceClasses.
//
// +kubebuilder:object:root=true
type NamespaceClassList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []NamespaceClass `json:"items"`
}
