// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"cmp"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IsManaged reports whether the broker created a Namespace or guard rail.
func IsManaged(m metav1.Object) bool { return m.GetLabels()[LabelManaged] == "true" }

// IsReady reports whether a Namespace is complete and not being deleted.
func IsReady(m metav1.Object) bool {
	return m.GetAnnotations()[AnnotationReady] == "true" && m.GetDeletionTimestamp() == nil
}

// OnHold reports whether an administrator keeps a Namespace from expiring and from being
// deleted. A hold with an empty reason is one.
func OnHold(m metav1.Object) bool {
	_, held := m.GetAnnotations()[AnnotationHold]
	return held
}

// OwnerName returns the name of the group that owns a Namespace or, without such a
// group, the name of the user.
func OwnerName(m metav1.Object) string {
	return cmp.Or(m.GetAnnotations()[AnnotationOwnerGroup], m.GetAnnotations()[AnnotationOwner])
}

// ParametersOf returns the parameters that a Namespace was created with.
func ParametersOf(m metav1.Object) map[string]string {
	var out map[string]string
	_ = json.Unmarshal([]byte(m.GetAnnotations()[AnnotationParameters]), &out) // the broker wrote them
	return out
}
