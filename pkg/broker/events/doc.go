// SPDX-License-Identifier: Apache-2.0

// Package events creates Events in temporary namespaces, for their owners.
//
// The rules it lives by:
//
//   - No request waits for an Event, and none fails because of one. An Event that cannot
//     be created is logged.
//   - Every replica gives notice of every expiry. The name of such an Event is derived
//     from the expiry and the notice, so the second replica finds that it exists.
//   - Nothing can be created in a namespace that is being deleted, so there is no Event
//     about an expiry that has passed: status and conditions of the TemporaryNamespace
//     report it.
//   - No Event is created while the broker is not contained.
package events
