// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the contract between the plugin and the broker: the type
// TemporaryNamespace of API group tenama.dev, the keys under which its state
// lies in a Namespace, and its validation.
//
// A TemporaryNamespace is a view of one Namespace. Its expiry is
//
//	min(ceiling, max(creation + spec.ttlSeconds, spec.extendUntil))
//
// and no write ever brings it nearer; only deletion ends a namespace early.
//
// The package is pure: no I/O, no clock, no client. Everything that two sides
// must agree on is spelled here, once.
//
// +kubebuilder:object:generate=true
// +groupName=tenama.dev
package v1alpha1
