// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// EventController is the reportingComponent of the Events that the broker creates in
// temporary namespaces, and EventComponent is their source.
const (
	EventController = "tenama.dev/broker"
	EventComponent  = "tenama-broker"
)

// These are the reasons of these Events.
const (
	// EventCreated means that the namespace was created, and its owner can use it.
	EventCreated = "Created"
	// EventExtended means that a user extended the namespace; the message says who, until
	// when and why.
	EventExtended = "Extended"
	// EventExpiresSoon means that the namespace is about to expire; the message says when,
	// and how to keep it. The class determines how long before.
	EventExpiresSoon = "ExpiresSoon"
	// EventGuardRailRestored means that a guard rail was missing or had been changed, and
	// was restored.
	EventGuardRailRestored = "GuardRailRestored"
	// EventGuardRailDiffers means the same, and that it could not be restored.
	EventGuardRailDiffers = "GuardRailDiffers"
)
