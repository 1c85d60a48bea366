// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/events"
)

// createdDelay is the delay of the Event about a creation. Many namespaces live for less: a
// test that has ended needs no Event.
const createdDelay = 5 * time.Second

// createdEvent is the Event about a namespace that its owner can use now.
func createdEvent(tn *v1alpha1.TemporaryNamespace) events.Event {
	owner := fmt.Sprintf("%q", tn.Status.Owner)
	if g := tn.Status.OwnerGroup; g != "" {
		owner = fmt.Sprintf("group %q, by %q", g, tn.Status.Owner)
	}
	end := "it does not expire"
	if at := tn.Status.ExpirationTimestamp; at != nil {
		end = "it expires at " + at.UTC().Format(time.RFC3339)
	}
	return events.Event{Name: "tenama-created", Type: corev1.EventTypeNormal, Reason: v1alpha1.EventCreated,
		Action: "Create", Message: fmt.Sprintf("Created for %s with class %q; %s.", owner, tn.Spec.ClassName, end)}
}

// extendedEvent is the Event about the n-th extension of a namespace.
func extendedEvent(e *v1alpha1.ExtensionRecord, n int32) events.Event {
	message := fmt.Sprintf("Extended until %s by %q", e.ExpirationTimestamp.UTC().Format(time.RFC3339), e.User)
	message += cmp.Or(prefixed(": ", e.Reason), ".")
	return events.Event{Name: fmt.Sprintf("tenama-extended-%d", n), Type: corev1.EventTypeNormal,
		Reason: v1alpha1.EventExtended, Action: "Extend", Message: message}
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// ExpiryWarning returns the message about a Namespace that is about to expire.
func ExpiryWarning(ns *corev1.Namespace, now time.Time) string {
	return v1alpha1.ExpiryWarning(fromNamespace(ns), now)
}
