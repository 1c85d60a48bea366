// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// How much of its history a namespace keeps. A reason has at most MaxReason characters; the
// name of a user has no limit.
const (
	maxHistory      = 10
	maxHistoryBytes = 4 << 10
	maxHistoryUser  = 256 // bytes
)

// history returns the extensions that the annotations of a Namespace record. What an
// administrator made unreadable is none.
func history(annotations map[string]string) []v1alpha1.ExtensionRecord {
	var out []v1alpha1.ExtensionRecord
	if json.Unmarshal([]byte(annotations[v1alpha1.AnnotationHistory]), &out) != nil {
		return nil
	}
	return out
}

// record adds an extension to the history of ns, from which the oldest ones are dropped.
func record(ns *corev1.Namespace, e v1alpha1.ExtensionRecord) {
	if len(e.User) > maxHistoryUser {
		e.User = e.User[:maxHistoryUser]
	}
	all := append(history(ns.Annotations), e)
	all = all[max(0, len(all)-maxHistory):]
	for {
		b, err := json.Marshal(all)
		if err != nil { // no type in it has an error
			return
		}
		if len(b) <= maxHistoryBytes || len(all) == 1 {
			ns.Annotations[v1alpha1.AnnotationHistory] = string(b)
			return
		}
		all = all[1:]
	}
}
