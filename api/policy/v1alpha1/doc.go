// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is API group policy.tenama.dev: what the administrators of a
// cluster decide about temporary namespaces. It is stored by kube-apiserver as
// custom resources; the broker only reads it and reports in its status.
//
// The package is pure: no I/O, no clock, no client.
//
// +kubebuilder:object:generate=true
// +groupName=policy.tenama.dev
package v1alpha1
