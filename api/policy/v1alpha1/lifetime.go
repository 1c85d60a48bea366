// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	"tenama.dev/tenama/api/v1alpha1"
)

// Lifetime limits how long a namespace lives, in seconds.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Unbounded' || has(self.defaultTTLSeconds) && has(self.maximumTTLSeconds)",message="defaultTTLSeconds and maximumTTLSeconds are required, unless type is Unbounded"
// +kubebuilder:validation:XValidation:rule="self.type != 'Unbounded' || !has(self.defaultTTLSeconds) && !has(self.maximumTTLSeconds) && !has(self.maximumExtensions)",message="an Unbounded lifetime has no defaultTTLSeconds, maximumTTLSeconds or maximumExtensions"
// +kubebuilder:validation:XValidation:rule="!has(self.defaultTTLSeconds) || !has(self.maximumTTLSeconds) || self.maximumTTLSeconds >= self.defaultTTLSeconds",message="maximumTTLSeconds must not be below defaultTTLSeconds"
// +kubebuilder:validation:XValidation:rule="!has(self.idleTTLSeconds) || has(self.maximumTTLSeconds) && self.idleTTLSeconds <= self.maximumTTLSeconds",message="idleTTLSeconds requires a maximumTTLSeconds that is not below it"
type Lifetime struct {
	// Type is the type of the lifetime: Fixed, Renewable or Unbounded. A namespace
	// keeps the type that the class had when the namespace was created.
	// +optional
	// +kubebuilder:default=Fixed
	Type v1alpha1.LifetimeType `json:"type,omitempty"`

	// DefaultTTLSeconds is the lifetime of a namespace whose creator specifies none.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3162240000
	DefaultTTLSeconds int64 `json:"defaultTTLSeconds,omitempty"`

	// MaximumTTLSeconds is the maximum lifetime. If the type is Fixed, it is counted
	// from the creation and includes extensions; if the type is Renewable, it is
	// counted from the time of each extension. Raising it does not affect existing
	// namespaces.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3162240000
	MaximumTTLSeconds int64 `json:"maximumTTLSeconds,omitempty"`

	// MaximumExtensions is the maximum number of extensions of a namespace. If omitted,
	// the number is limited only by the maximum lifetime.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MaximumExtensions *int32 `json:"maximumExtensions,omitempty"`

	// IdleTTLSeconds makes a namespace expire this long after its last use, if that is
	// before the end of its lifetime. Each use renews its lease: kubectl tenama create
	// --if-not-exists, extend and use, run while its command runs, and the examples for
	// pipelines. A lease that the creator chose can be shorter. The traffic inside the
	// namespace does not count: the broker has no rights to observe it.
	// +optional
	// +kubebuilder:validation:Minimum=900
	// +kubebuilder:validation:Maximum=3162240000
	IdleTTLSeconds *int64 `json:"idleTTLSeconds,omitempty"`

	// ExpiryNoticeSeconds are the times before the expiry of a namespace at which it
	// receives an Event with reason ExpiresSoon. A time that is longer than the whole
	// lifetime is skipped. An empty list means no Events.
	// +optional
	// +kubebuilder:default={3600,900,300}
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=31622400
	// +listType=set
	ExpiryNoticeSeconds []int64 `json:"expiryNoticeSeconds,omitempty"`
}

// DefaultExpiryNotices are the times of ExpiryNoticeSeconds of a class that does not exist
// any more.
func DefaultExpiryNotices() []time.Duration {
	return []time.Duration{time.Hour, 15 * time.Minute, 5 * time.Minute}
}

// ExpiryNotices returns how long before their expiry the namespaces of a class receive an
// Event.
func (l *Lifetime) ExpiryNotices() []time.Duration {
	out := make([]time.Duration, len(l.ExpiryNoticeSeconds))
	for i, s := range l.ExpiryNoticeSeconds {
		out[i] = time.Duration(s) * time.Second
	}
	return out
}
