// SPDX-License-Identifier: Apache-2.0

// Package nscache holds the Namespaces that the broker manages, as one watch
// shows them. Expiry, admission and the moment at which a new namespace may be written
// to come from it.
//
// The rules it lives by:
//
//   - It is fed by a reflector, not by an informer. An informer may merge events
//     and does not distinguish a list from a watch; admission needs their order.
//   - The handler receives an event before the cache shows it, and before a
//     caller that waits for it goes on.
//   - It holds only a part of each Namespace: what users write stays out of memory, so that
//     the number of namespaces alone decides how much the broker needs. What is to
//     be written or shown in full is read from kube-apiserver (see IsReduced).
//   - Returned objects are shared and must not be changed.
package nscache
