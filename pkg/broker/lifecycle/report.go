// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/events"
)

// States of a drifted guard rail, and results of its repair, for Drifted.
const (
	Missing = "missing"
	Changed = "changed"

	Restored = "restored"
	Refused  = "refused"  // kube-apiserver rejects the repair
	Released = "released" // the label tenama.dev/managed was removed
)

// drift is one guard rail that differed from its record.
type drift struct {
	object      corev1.ObjectReference
	was, became string
	where, why  string
}

// report counts a drift, logs it, and creates an Event in the namespace.
func (m *Manager) report(ctx context.Context, ns *corev1.Namespace, d drift) {
	m.Drifted(d.object.Kind, d.was, d.became)
	what := fmt.Sprintf("%s %q was %s", d.object.Kind, d.object.Name, d.was)
	if d.where != "" {
		what += " in " + d.where
	}
	m.Log.Warn("Guard rail drifted", "namespace", ns.Name, "kind", d.object.Kind, "name", d.object.Name, "was", d.was,
		"where", d.where, "became", d.became, "why", d.why)
	e := events.Event{Regarding: d.object, Type: corev1.EventTypeNormal, Reason: v1alpha1.EventGuardRailRestored,
		Action: "Restore", Message: what + "; the broker restored it."}
	if d.became == Refused {
		e.Type, e.Reason = corev1.EventTypeWarning, v1alpha1.EventGuardRailDiffers
		e.Message = what + ", and cannot be restored: " + d.why
	}
	_ = m.Events.Record(ctx, ns, e) // which was logged
}
