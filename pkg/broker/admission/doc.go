// SPDX-License-Identifier: Apache-2.0

// Package admission decides which temporary namespaces fit into the budgets, with
// any number of replicas and API servers, and with no ledger, lock or leader: by
// the order in which the cluster itself has them.
//
// The rules it lives by:
//
//   - etcd puts all creations into one order, and every watch tells of them in that
//     order. A namespace is admitted if, at the event of its own creation, all that
//     is there fits together with it. Of the namespaces that are there, the last
//     one created has counted all others; so they fit, always.
//   - Everything counts from its creation until it is gone, Terminating included,
//     but what was refused. A namespace is charged what its own annotations say.
//   - A view that is full, own creations under way included, refuses before
//     anything is written.
//   - What came by a list has no order. It is admitted only if everything that is
//     there fits, and refused with a request to come again otherwise.
//   - In doubt it refuses. A budget that cannot be understood lets nobody in.
//   - Those who wait stand in a line, one person after the other; nobody passes
//     whoever waits for the same limit.
package admission
