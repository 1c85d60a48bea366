// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Soon is when the expiry of a namespace is near: this long before it, or in the
// last quarter of its life if that is less.
const Soon = 15 * time.Minute

// Held tells whether somebody keeps tn by a lease: it ends when they do. A lease of
// Soon or more is as good as a TTL.
func Held(tn *TemporaryNamespace) bool {
	at, lease := tn.Status.ExpirationTimestamp, time.Duration(deref(tn.Spec.LeaseDurationSeconds))*time.Second
	return at != nil && lease > 0 && lease < Soon && !DeadlineOf(tn).Equal(at.Time)
}

// ExpiresSoon tells whether the expiry of tn is near, and no lease moves it.
func ExpiresSoon(tn *TemporaryNamespace, now time.Time) bool {
	at := tn.Status.ExpirationTimestamp
	if at == nil || tn.DeletionTimestamp != nil || Held(tn) {
		return false
	}
	return at.Sub(now) < min(Soon, at.Sub(tn.CreationTimestamp.Time)/4)
}

// ExpiryWarning is what is said of a namespace whose expiry is near: when it ends,
// how to keep it, and for how long at most. The broker sends it as a Warning header
// (RFC 9111 section 5.5, as Kubernetes uses it), which every client of Kubernetes
// prints.
func ExpiryWarning(tn *TemporaryNamespace, now time.Time) string {
	at := tn.Status.ExpirationTimestamp
	left := max(at.Sub(now), 0).Round(time.Second)
	text := fmt.Sprintf("namespace %q expires in %s, at %s", tn.Name, duration.HumanDuration(left), at.UTC().Format(time.RFC3339))
	switch s := tn.Status; {
	case s.MaximumExpirationTimestamp != nil && !s.MaximumExpirationTimestamp.After(at.Time):
		return text + "; that is the most its class allows"
	case s.MaximumExtensions != nil && s.Extensions >= *s.MaximumExtensions:
		return text + "; it cannot be extended any more"
	case s.MaximumExpirationTimestamp != nil:
		text += fmt.Sprintf("; to keep it, until %s at most", s.MaximumExpirationTimestamp.UTC().Format(time.RFC3339))
	case s.MaximumTTLSeconds != nil:
		text += fmt.Sprintf("; to keep it, for %s from now at most", duration.HumanDuration(time.Duration(*s.MaximumTTLSeconds)*time.Second))
	}
	return text + ": kubectl tenama extend " + tn.Name
}

// expiringAgent ends the warn-agent of an ExpiryWarning.
const expiringAgent = ".expiring.tenama.dev"

// ExpiryWarningAgent returns the warn-agent of the Warning header about tn. It is a host
// name, as RFC 9111 section 5.5 asks for, and tells programs which namespace the warning
// is about; ExpiringName reads it.
func ExpiryWarningAgent(tn *TemporaryNamespace) string { return tn.Name + expiringAgent }

// ExpiringName returns the namespace that a warning with this warn-agent is about; ok
// is false for any other warning.
func ExpiringName(agent string) (name string, ok bool) {
	return strings.CutSuffix(agent, expiringAgent)
}
