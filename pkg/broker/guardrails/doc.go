// SPDX-License-Identifier: Apache-2.0

// Package guardrails writes the objects of a class into a namespace: quotas,
// limit ranges, network policies, accounts, and other kinds that an administrator
// allows in classes.
//
// The rules it lives by:
//
//   - An object of the broker carries the label tenama.dev/managed. An object
//     without it belongs to another, and is left as it is.
//   - Nothing is deleted: the broker has no right to. An object that a class no
//     longer contains is emptied where that is possible.
//   - A new quota is in force when Create returns.
//   - Objects are restored by server-side apply, so that labels and fields of other
//     managers stay.
package guardrails
