// SPDX-License-Identifier: Apache-2.0

// Package registry makes temporary namespaces and keeps them: it is the only
// writer of Namespaces, and it serves TemporaryNamespaces as a view of them.
//
// The rules it lives by:
//
//   - The Namespace is the database. All state is in its labels and annotations;
//     a process that starts anew knows all.
//   - A namespace is complete or it is not there. The owner's RoleBinding comes
//     last, after the guard rails, so nobody has access to a namespace without
//     them. Whoever finds one that was left half-made finishes or deletes it.
//   - Delete exactly what you saw: every deletion names the UID, and the
//     resourceVersion where the decision depended on the content.
//   - What does not belong to the caller does not exist for the caller.
//   - What clients read comes from kube-apiserver, with its versions, tokens and
//     errors. The cache is for what the broker decides, with preconditions, and
//     for readers to whom any version will do.
//   - An error of kube-apiserver about the broker is never shown as if it were
//     about the user.
package registry
