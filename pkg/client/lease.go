// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// Renew renews the lease of a temporary namespace at the given time: the namespace then
// lives on for the duration of the lease. A renewal does not count as an extension.
// Reasons: NotFound, Conflict (the namespace is being deleted, or the name belongs
// to another namespace), Invalid (there is no lease).
func (c *Client) Renew(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, at time.Time,
) (*v1alpha1.TemporaryNamespace, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": tn.UID},
		"spec":     map[string]any{"renewTime": at.UTC().Truncate(time.Second).Format(time.RFC3339)},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the renewal: %w", err)
	}
	return c.mergePatch(ctx, tn.Name, patch, metav1.PatchOptions{})
}

// ReleaseLease makes a temporary namespace with a lease live until the given time without
// further renewals, or as long as the rest of its lifetime allows. Reasons: NotFound,
// Conflict, Invalid.
func (c *Client) ReleaseLease(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, at time.Time,
) (*v1alpha1.TemporaryNamespace, error) {
	lease := max(leaseUntil(tn, at), int64(v1alpha1.Soon/time.Second))
	if most := tn.Status.IdleTTLSeconds; most != nil {
		lease = min(lease, *most)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": tn.UID}, "spec": map[string]any{"leaseDurationSeconds": lease},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the lease: %w", err)
	}
	return c.mergePatch(ctx, tn.Name, patch, metav1.PatchOptions{})
}

// leaseUntil returns the lease duration, in seconds, with which the lease of tn reaches
// a time.
func leaseUntil(tn *v1alpha1.TemporaryNamespace, at time.Time) int64 {
	from := tn.CreationTimestamp.Time
	if t := tn.Spec.RenewTime; t != nil && t.After(from) {
		from = t.Time
	}
	return int64((at.Sub(from) + time.Second - 1) / time.Second)
}
