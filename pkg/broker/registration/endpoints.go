// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"context"
	"fmt"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// logAfter is how long Run waits for the endpoint before it says so, and how often.
const logAfter = 30 * time.Second

// awaitEndpoint returns once this replica is an endpoint of the Service, so that the
// API is reachable as soon as it is registered.
func (r *Registration) awaitEndpoint(ctx context.Context) {
	var logged time.Time
	begun := time.Now()
	for ctx.Err() == nil {
		self, others, err := r.endpoints(ctx)
		if self {
			return
		}
		if now := time.Now(); now.Sub(begun) > logAfter && now.Sub(logged) > logAfter {
			logged = now
			r.Log.Warn("Not registered yet: waiting until the Service has the pod of this replica as a ready endpoint; the pod "+
				"name comes from $POD_NAME or --pod-name", "namespace", r.Namespace, "service", r.Service, "pod", r.Pod,
				"otherEndpoints", others, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// endpoints reports whether this replica is a ready endpoint of the Service, and how
// many other endpoints are ready and not terminating.
func (r *Registration) endpoints(ctx context.Context) (self bool, others int, err error) {
	slices, err := r.Client.DiscoveryV1().EndpointSlices(r.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + r.Service})
	if err != nil {
		return false, 0, fmt.Errorf("list EndpointSlices of Service %q: %w", r.Service, err)
	}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
			switch {
			case !ready || terminating:
			case e.TargetRef != nil && e.TargetRef.Kind == "Pod" && e.TargetRef.Name == r.Pod:
				self = true
			default:
				others++
			}
		}
	}
	return self, others, nil
}
