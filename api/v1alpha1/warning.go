// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/duration"
)

// Soon is the time before the expiry of a namespace from which users are warned. For
// short-lived namespaces, it is the last quarter of the lifetime instead.
const Soon = 15 * time.Minute

// Leased reports whether tn is kept by a lease, which ends with the process that renews
// it. A lease of Soon or more is treated like a TTL.
func Leased(tn *TemporaryNamespace) bool {
	at, lease := tn.Status.ExpirationTimestamp, time.Duration(deref(tn.Spec.LeaseDurationSeconds))*time.Second
	return at != nil && lease > 0 && lease < Soon && !DeadlineOf(tn).Equal(at.Time)
}

// ExpiresSoon reports whether tn is about to expire, or has expired, and is kept neither by a
// lease nor by an administrator.
func ExpiresSoon(tn *TemporaryNamespace, now time.Time) bool {
	at := tn.Status.ExpirationTimestamp
	if at == nil || tn.DeletionTimestamp != nil || Leased(tn) ||
		meta.IsStatusConditionTrue(tn.Status.Conditions, ConditionOnHold) {
		return false
	}
	return at.Sub(now) < min(Soon, at.Sub(tn.CreationTimestamp.Time)/4)
}

// ExpiryWarning returns the warning for a namespace that is about to expire: the time
// of its expiry, the command that extends it, and the latest possible expiry. The
// broker sends it as a Warning header (RFC 9111 section 5.5, as used by Kubernetes),
// which every Kubernetes client prints.
func ExpiryWarning(tn *TemporaryNamespace, now time.Time) string {
	at := tn.Status.ExpirationTimestamp
	left := max(at.Sub(now), 0).Round(time.Second)
	text := fmt.Sprintf("namespace %q expires in %s, at %s", tn.Name, duration.HumanDuration(left),
		at.UTC().Format(time.RFC3339))
	if left == 0 {
		text = fmt.Sprintf("namespace %q expired at %s and is about to be deleted", tn.Name, at.UTC().Format(time.RFC3339))
	}
	switch s := tn.Status; {
	case s.MaximumExpirationTimestamp != nil && !s.MaximumExpirationTimestamp.After(at.Time):
		return text + "; that is the most its class allows"
	case s.MaximumExtensions != nil && s.Extensions >= *s.MaximumExtensions:
		return text + "; it cannot be extended any more"
	case s.MaximumExpirationTimestamp != nil:
		text += fmt.Sprintf("; to keep it, until %s at most", s.MaximumExpirationTimestamp.UTC().Format(time.RFC3339))
	case s.MaximumTTLSeconds != nil:
		text += fmt.Sprintf("; to keep it, for %s from now at most",
			duration.HumanDuration(time.Duration(*s.MaximumTTLSeconds)*time.Second))
	}
	return text + ": kubectl tenama extend " + tn.Name
}

// expiringAgent is the suffix of the warn-agent of an ExpiryWarning.
const expiringAgent = ".expiring.tenama.dev"

// ExpiryWarningAgent returns the warn-agent of the Warning header about tn. It is a
// host name, as RFC 9111 section 5.5 requires, and identifies the namespace for
// programs; ExpiringName parses it.
func ExpiryWarningAgent(tn *TemporaryNamespace) string { return tn.Name + expiringAgent }

// ExpiringName returns the name of the namespace that a warning with this warn-agent
// refers to; ok is false for any other warning.
func ExpiringName(agent string) (name string, ok bool) {
	return strings.CutSuffix(agent, expiringAgent)
}
