// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AnnotationDefaultClass, with the value "true", marks the default class, which is used
// for a TemporaryNamespace that names no class. At most one class may carry it.
const AnnotationDefaultClass = "policy.tenama.dev/is-default-class"

// NamespaceClass is a kind of temporary namespace that administrators offer: the limits
// of its lifetime, the role of its owner, and its guard rails.
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

	// Spec is the configuration that the class gives to its namespaces.
	Spec NamespaceClassSpec `json:"spec"`
	// Status is the state of the class as observed by the broker.
	// +optional
	Status NamespaceClassStatus `json:"status,omitempty"`
}

// NamespaceClassSpec is the configuration that a class gives to each of its namespaces.
type NamespaceClassSpec struct {
	// Description is a one-line description of the intended users of the class.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// Lifetime limits how long a namespace lives.
	Lifetime Lifetime `json:"lifetime"`

	// Prefix is the prefix of the name of every namespace of the class. It must be one
	// of the prefixes of the installation (deploy/components/settings). If empty, the first of
	// these prefixes is used.
	// +optional
	// +kubebuilder:validation:Pattern=`^[a-z0-9][-a-z0-9]{0,20}-$`
	Prefix string `json:"prefix,omitempty"`

	// Parameters are the choices that the class offers to its users (kubectl tenama
	// create --set cpu=4), each with a list of allowed values. $(NAME) in the values of
	// objects, namespaceLabels and namespaceAnnotations is replaced by the chosen
	// value; $(namespace) and $(owner) are replaced as well. $$(NAME) is an escape for
	// the literal $(NAME).
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty"`

	// OwnerRole is the name of the ClusterRole that the owner is bound to in the
	// namespace. The broker must be allowed to bind it (deploy/base/rbac.yaml).
	// +optional
	// +kubebuilder:default=admin
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	OwnerRole string `json:"ownerRole,omitempty"`

	// PodSecurity is the Pod Security Standard that the namespace enforces.
	// +optional
	// +kubebuilder:default=baseline
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`

	// NamespaceLabels are labels that are set on each Namespace. Keys under
	// kubernetes.io, k8s.io and tenama.dev are rejected, because they could override
	// the guarantees of tenama.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.split('/')[0].endsWith('tenama.dev') && !k.split('/')[0].endsWith('kubernetes.io') && !k.split('/')[0].endsWith('k8s.io'))",message="keys under kubernetes.io, k8s.io and tenama.dev are reserved"
	NamespaceLabels map[string]LabelValue `json:"namespaceLabels,omitempty"`

	// NamespaceAnnotations are annotations that are set on each Namespace. The same
	// keys are rejected as for namespaceLabels.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.split('/')[0].endsWith('tenama.dev') && !k.split('/')[0].endsWith('kubernetes.io') && !k.split('/')[0].endsWith('k8s.io'))",message="keys under kubernetes.io, k8s.io and tenama.dev are reserved"
	NamespaceAnnotations map[string]AnnotationValue `json:"namespaceAnnotations,omitempty"`

	// UserKeys are the keys of labels and annotations that are copied from a
	// TemporaryNamespace to its Namespace: a key, or KEY/* for all keys with that
	// prefix. All other keys stay on the TemporaryNamespace only, so that users cannot
	// set keys that service meshes, injectors or selectors of other users trust. Keys
	// under kubernetes.io, k8s.io and tenama.dev are rejected, except for those under
	// user.tenama.dev.
	// +optional
	// +kubebuilder:default={"user.tenama.dev/*"}
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/(\*|[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)|[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$`
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.split('/')[0] == 'user.tenama.dev' || !k.contains('/') || !k.split('/')[0].endsWith('tenama.dev') && !k.split('/')[0].endsWith('kubernetes.io') && !k.split('/')[0].endsWith('k8s.io'))",message="keys under kubernetes.io, k8s.io and tenama.dev are reserved, except for user.tenama.dev"
	// +listType=set
	UserKeys []string `json:"userKeys,omitempty"`

	// NetworkPolicyAccess determines whether tenants can write their own network
	// policies. Network policies are additive, so a tenant who can write one can open
	// up the namespace: with ReadWrite, the network policies of the class are defaults,
	// not limits.
	// +optional
	// +kubebuilder:default=ReadOnly
	NetworkPolicyAccess NetworkPolicyAccess `json:"networkPolicyAccess,omitempty"`

	// Objects are the guard rails: complete manifests without a namespace, which are
	// created in each namespace before its owner gets access. Allowed kinds:
	// ResourceQuota, LimitRange, NetworkPolicy, ServiceAccount.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:XPreserveUnknownFields
	// +kubebuilder:validation:items:Type=object
	Objects []runtime.RawExtension `json:"objects,omitempty"`
}

// Parameter is a choice that a class offers to its users.
//
// +kubebuilder:validation:XValidation:rule="!has(self.default) || self.default in self.values",message="default must be one of values"
// +kubebuilder:validation:XValidation:rule="!(self.name in ['namespace', 'owner'])",message="namespace and owner are predefined, and cannot be parameters"
type Parameter struct {
	// Name is the name of the parameter, by which users set it and objects refer to it.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z][A-Za-z0-9]*$`
	Name string `json:"name"`

	// Description is a one-line description of the parameter.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// Values are the allowed values.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(v, !v.contains('$('))",message="a value is used literally and must not contain $("
	// +listType=set
	Values []string `json:"values"`

	// Default is the value used if a user specifies none. If omitted, users must
	// specify a value.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Default *string `json:"default,omitempty"`
}

// PodSecurityLevel is a level of the Pod Security Standards.
//
// +kubebuilder:validation:Enum=baseline;restricted
type PodSecurityLevel string

// NetworkPolicyAccess determines the access of tenants to network policies.
//
// +kubebuilder:validation:Enum=ReadOnly;ReadWrite
type NetworkPolicyAccess string

// NetworkPolicyReadWrite allows tenants to write their own network policies.
const NetworkPolicyReadWrite NetworkPolicyAccess = "ReadWrite"

// LabelValue is the value of a label; it can contain $(NAME) references to parameters.
//
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[-A-Za-z0-9_.$()]*$`
type LabelValue string

// AnnotationValue is the value of an annotation; it can contain $(NAME) references to
// parameters, $(namespace) and $(owner).
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// ConditionReady is true while namespaces of the class can be created.
const ConditionReady = "Ready"

// These are the reasons of ConditionReady.
const (
	// ReasonUsable means that namespaces of the class can be created.
	ReasonUsable = "Usable"
	// ReasonPrefixNotContained means that the admission policies do not allow the
	// broker to create namespaces with spec.prefix; the message lists the allowed
	// prefixes.
	ReasonPrefixNotContained = "PrefixNotContained"
	// ReasonRejectedObject means that kube-apiserver does not accept an entry of
	// spec.objects, with the defaults of the parameters; the message is its own.
	ReasonRejectedObject = "RejectedObject"
	// ReasonInvalidObject means that an entry of spec.objects is invalid; the message
	// says which one and why.
	ReasonInvalidObject = "InvalidObject"
	// ReasonRoleNotBindable means that RBAC or the containment policy does not allow
	// the broker to bind spec.ownerRole; the message says which of them.
	ReasonRoleNotBindable = "RoleNotBindable"
	// ReasonSeveralDefaults means that more than one class is marked as the default.
	ReasonSeveralDefaults = "SeveralDefaults"
)

// NamespaceClassStatus is the state of a class as observed by the broker.
type NamespaceClassStatus struct {
	// ObservedGeneration is the generation of the spec that the conditions refer to.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Revision identifies the configuration that the spec gives to a namespace. The
	// lifetime is not part of it, because a later revision does not change the lifetime
	// of an existing namespace. Each namespace records the revision that it has.
	// +optional
	Revision string `json:"revision,omitempty"`

	// Prefix is the prefix of the name of every namespace of the class, with the
	// default resolved.
	// +optional
	Prefix string `json:"prefix,omitempty"`

	// Reserved is the set of amounts that a namespace of the class is charged against
	// the budgets, with the default of each parameter: the hard limits of its quotas,
	// and one namespace.
	// +optional
	Reserved corev1.ResourceList `json:"reserved,omitempty"`

	// Reporter is the replica of the broker that wrote the status. Another replica takes
	// over if the status is outdated for a while.
	// +optional
	Reporter string `json:"reporter,omitempty"`

	// Conditions are the current conditions of the class; Ready reports whether
	// namespaces of the class can be created.
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
