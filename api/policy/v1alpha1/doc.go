// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 defines the API group policy.tenama.dev: the configuration of
// temporary namespaces by the administrators of a cluster. kube-apiserver stores its
// objects as custom resources; the broker only reads them and writes their status.
//
// The package is pure: no I/O, no clock, no client.
//
// +kubebuilder:object:generate=true
// +groupName=policy.tenama.dev
package v1alpha1
