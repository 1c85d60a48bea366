// SPDX-License-Identifier: Apache-2.0

// Package lifecycle makes temporary namespaces usable, keeps them as they were
// made, and deletes them when their time is up.
//
// The rules it lives by:
//
//   - A namespace is complete or no user has access to it. The RoleBinding of the
//     owner comes last, after the guard rails. A namespace that was left half-made
//     is finished or deleted.
//   - Each step makes what is missing and accepts what exists, so any replica can
//     go on where another stopped.
//   - A deletion names the UID that was seen, and the resourceVersion where the
//     decision depended on the content. So a stale cache is harmless, and an
//     extension beats the deletion or fails itself.
//   - Nothing is expired, finished or put back while the broker is not contained.
//   - Several replicas do the same work at the same time. None of them leads.
package lifecycle
