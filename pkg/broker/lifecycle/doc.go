// SPDX-License-Identifier: Apache-2.0

// Package lifecycle provisions temporary namespaces, restores their guard rails, and
// deletes them when they expire.
//
// The rules it lives by:
//
//   - A namespace is complete or no user has access to it. The RoleBinding of the
//     owner comes last, after the guard rails. A namespace that was left incomplete is
//     completed or deleted.
//   - Each step creates missing objects and accepts existing ones, so any replica can
//     resume the work of another.
//   - A deletion names the UID that was seen, and the resourceVersion where the
//     decision depended on the content. So a stale cache is harmless, and an
//     extension makes the deletion fail or fails itself.
//   - Nothing is deleted, completed or restored while the broker is not contained.
//   - Several replicas do the same work at the same time. None of them leads.
package lifecycle
