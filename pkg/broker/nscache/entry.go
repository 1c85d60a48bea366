// SPDX-License-Identifier: Apache-2.0

package nscache

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// maxMessage bounds the message of a condition in the cache, in bytes. Finalizers, whose
// names tenants choose, are part of it.
const maxMessage = 1 << 10

// The labels and annotations that the cache holds. Users write the others, or they are as
// long as users make them.
var (
	cachedLabels = []string{v1alpha1.LabelManaged, v1alpha1.LabelOwner, v1alpha1.LabelClass,
		v1alpha1.LabelPodSecurity}
	cachedAnnotations = []string{
		v1alpha1.AnnotationOwner, v1alpha1.AnnotationOwnerGroup, v1alpha1.AnnotationOwnerRole,
		v1alpha1.AnnotationPodSecurity, v1alpha1.AnnotationRequestID, v1alpha1.AnnotationClassRevision,
		v1alpha1.AnnotationGroups, v1alpha1.AnnotationReserved, v1alpha1.AnnotationRefused,
		v1alpha1.AnnotationLifetime, v1alpha1.AnnotationExtensions, v1alpha1.AnnotationMaximumExtensions,
		v1alpha1.AnnotationTTL, v1alpha1.AnnotationMaximumTTL, v1alpha1.AnnotationExtendUntil,
		v1alpha1.AnnotationLease, v1alpha1.AnnotationRenewed, v1alpha1.AnnotationIdleTTL,
		v1alpha1.AnnotationReady,
		v1alpha1.AnnotationOwnerAccess, v1alpha1.AnnotationAccessRevoked, v1alpha1.AnnotationCreator,
		v1alpha1.AnnotationHold,
	}
)

// entry is a reduced Namespace, and the size of the whole one.
type entry struct {
	corev1.Namespace
	bytes int // encoded as protobuf
}

// reduce returns what the cache holds of a Namespace.
func reduce(ns *corev1.Namespace) *entry {
	e := &entry{bytes: ns.Size(), Namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: ns.Name, UID: ns.UID, ResourceVersion: ns.ResourceVersion, CreationTimestamp: ns.CreationTimestamp,
		DeletionTimestamp: ns.DeletionTimestamp, Labels: pick(ns.Labels, cachedLabels),
		Annotations: pick(ns.Annotations, cachedAnnotations),
	}}}
	for _, c := range ns.Status.Conditions {
		if c.Type == corev1.NamespaceFinalizersRemaining {
			c.Message = c.Message[:min(len(c.Message), maxMessage)]
			e.Status.Conditions = []corev1.NamespaceCondition{c}
		}
	}
	return e
}

// pick returns a new map: a map keeps the room of the keys that are deleted from it.
func pick(from map[string]string, keys []string) map[string]string {
	out := map[string]string{}
	for _, k := range keys {
		if v, ok := from[k]; ok {
			out[k] = v
		}
	}
	return out
}

// IsReduced reports whether ns may come from a Cache, which holds only a part of each
// Namespace. kube-apiserver records managed fields on every object.
func IsReduced(ns *corev1.Namespace) bool { return len(ns.ManagedFields) == 0 }
