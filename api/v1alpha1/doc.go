// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 defines the API between the plugin and the broker: the type
// TemporaryNamespace of API group tenama.dev, the keys of the labels and annotations
// that store its state in a Namespace, and its validation.
//
// A TemporaryNamespace is a view of one Namespace. Its expiry is
//
//	min(ceiling, max(creation + spec.ttlSeconds, spec.extendUntil))
//
// and no write makes it earlier; only deletion ends a namespace early.
//
// The package is pure: no I/O, no clock, no client. It is the single definition of
// everything that plugin and broker must agree on.
//
// +kubebuilder:object:generate=true
// +groupName=tenama.dev
package v1alpha1
