// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/pkg/broker/guardrails"
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
	d.object.Namespace = ns.Name
	what := fmt.Sprintf("%s %q was %s", d.object.Kind, d.object.Name, d.was)
	if d.where != "" {
		what += " in " + d.where
	}
	now := metav1.NewTime(m.Now())
	e := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "tenama-", Namespace: ns.Name}, InvolvedObject: d.object,
		Type: corev1.EventTypeNormal, Reason: "GuardRailRestored", Action: "Restore",
		Message:             what + "; the broker restored it.",
		ReportingController: "tenama.dev/broker", ReportingInstance: m.Replica, EventTime: metav1.NowMicro(),
		Source:         corev1.EventSource{Component: guardrails.Agent},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if d.became == Refused {
		e.Type, e.Reason, e.Message = corev1.EventTypeWarning, "GuardRailDiffers", what+", and cannot be restored: "+d.why
	}
	m.Log.Warn("Guard rail drifted", "namespace", ns.Name, "kind", d.object.Kind, "name", d.object.Name, "was", d.was,
		"where", d.where, "became", d.became, "why", d.why)
	err := guardrails.RetryForbidden(ctx, func() error {
		_, err := m.Client.CoreV1().Events(ns.Name).Create(ctx, e, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		m.Log.Warn("Creating the Event about a drift failed", "namespace", ns.Name, "err", err)
	}
}
