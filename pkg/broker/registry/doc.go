// SPDX-License-Identifier: Apache-2.0

// Package registry serves TemporaryNamespaces as a view of Namespaces: the REST
// verbs, their validation and their authorization.
//
// The rules it lives by:
//
//   - The Namespace is the database. All state is in its labels and annotations; a
//     process that has just started knows all.
//   - A namespace that a caller may not see does not exist for the caller.
//   - Reads of clients are answered by kube-apiserver, with its versions, tokens and
//     errors. The cache serves decisions of the broker, which have preconditions, and
//     clients that accept any version.
//   - An error of kube-apiserver about the broker is never shown as if it were about
//     the user.
//   - Package lifecycle does all work on a namespace after the request was accepted.
package registry
