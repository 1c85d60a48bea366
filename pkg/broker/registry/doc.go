// SPDX-License-Identifier: Apache-2.0

// Package registry serves TemporaryNamespaces as a view of Namespaces: the REST
// verbs, and what decides whether a request is valid and allowed.
//
// The rules it lives by:
//
//   - The Namespace is the database. All state is in its labels and annotations; a
//     process that has just started knows all.
//   - A namespace that a caller may not see does not exist for the caller.
//   - What clients read comes from kube-apiserver, with its versions, tokens and
//     errors. The cache is for what the broker decides, with preconditions, and for
//     clients that accept any version.
//   - An error of kube-apiserver about the broker is never shown as if it were about
//     the user.
//   - What is done to a namespace after the request was accepted is in package
//     lifecycle.
package registry
