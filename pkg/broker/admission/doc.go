// SPDX-License-Identifier: Apache-2.0

// Package admission decides which temporary namespaces fit into the budgets. It works
// with any number of replicas and API servers, and needs no ledger, lock or leader:
// it relies on the order in which etcd stores the namespaces.
//
// The rules it lives by:
//
//   - etcd stores all creations in one order, and every watch delivers their events
//     in that order. A namespace is admitted if, at the event of its own creation,
//     it fits together with all existing namespaces. The last one created of the
//     existing namespaces has counted all others; so they always fit.
//   - A namespace counts from its creation until it is deleted, Terminating
//     included, unless it was rejected. Its own annotations state its amounts.
//   - If the budget is full in a replica's view, reservations included, the replica
//     rejects the request before it writes anything.
//   - A namespace from a list has no position in the order. It is admitted only if
//     all existing namespaces fit, and rejected with a request to retry otherwise.
//   - In doubt, a request is rejected. An invalid budget admits no namespace.
//   - Requests that wait form a queue, in which the owners take turns. No request
//     overtakes a queued request for the same limit.
package admission
