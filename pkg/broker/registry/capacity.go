// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// reserve reserves the amounts of ns in the budgets, or waits in the queue for them.
// A name that exists already is not charged twice: kube-apiserver, or the namespace
// of an earlier try of the same request, decides.
func (r *Registry) reserve(ctx context.Context, ns *corev1.Namespace, wait string, dryRun bool) (func(), error) {
	now := r.Cache.Get(ns.Name)
	exists := now != nil && now.DeletionTimestamp == nil && now.Annotations[v1alpha1.AnnotationRefused] == ""
	if wait == "" || dryRun || exists {
		return r.Admission.Reserve(ctx, ns)
	}
	d, err := time.ParseDuration(wait)
	if err != nil { // it was validated
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return r.Admission.Wait(ctx, ns, queueID(ns))
}

// queueID identifies the position of a request in the queue, among those of its
// owner.
func queueID(ns *corev1.Namespace) string {
	if id := ns.Annotations[v1alpha1.AnnotationRequestID]; id != "" {
		return "request/" + id
	}
	return "name/" + ns.Name
}
