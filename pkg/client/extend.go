// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// extension returns the changes to the spec that make tn live until at. It changes only
// the limit that ends earlier: the lifetime or the lease. A lease that is being renewed
// is not changed; it belongs to its holder. One that was not renewed in time has none.
// If the class ends namespaces that are not used, an extension is a use: it renews the
// lease, and tn lives for status.idleTTLSeconds from now at most.
func extension(tn *v1alpha1.TemporaryNamespace, at, now time.Time) map[string]any {
	spec := map[string]any{}
	if end := v1alpha1.DeadlineOf(tn); tn.Spec.LeaseDurationSeconds == nil || !end.IsZero() && at.After(end) {
		spec["extendUntil"] = at.Format(time.RFC3339)
	}
	if most := tn.Status.IdleTTLSeconds; most != nil && !v1alpha1.Leased(tn) {
		spec["renewTime"] = now.UTC().Truncate(time.Second).Format(time.RFC3339)
		if lease := min(int64((at.Sub(now)+time.Second-1)/time.Second), *most); lease > *tn.Spec.LeaseDurationSeconds {
			spec["leaseDurationSeconds"] = lease
		}
		return spec
	}
	expiry := tn.Status.ExpirationTimestamp
	ended := expiry != nil && !expiry.After(now)
	if s := tn.Spec.LeaseDurationSeconds; s != nil && (ended || !v1alpha1.Leased(tn)) {
		if lease := leaseUntil(tn, at); lease > *s {
			spec["leaseDurationSeconds"] = lease
		}
	}
	return spec
}

// Extension computes the time until which a namespace must live at least, from the
// namespace and the current time according to the server's clock.
type Extension func(tn *v1alpha1.TemporaryNamespace, now time.Time) time.Time

// Extend keeps a temporary namespace alive at least until the time computed by until,
// and sets the reason if it is not empty. If the namespace already lives that long,
// nothing is written. Extend returns the namespace before and after the change.
// Reasons: NotFound, Conflict (being deleted), Invalid (beyond the maximum).
func (c *Client) Extend(
	ctx context.Context, name string, until Extension, reason string, o metav1.PatchOptions,
) (before, after *v1alpha1.TemporaryNamespace, err error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	for range retries {
		if before, err = c.Get(ctx, name); err != nil {
			return nil, nil, err
		}
		at := until(before, c.Now()).UTC().Truncate(time.Second)
		if expiry := before.Status.ExpirationTimestamp; expiry != nil && !at.After(expiry.Time) &&
			before.DeletionTimestamp == nil && expiry.After(c.Now()) {
			return before, before, nil
		}
		if expiry := before.Status.ExpirationTimestamp; expiry != nil && !expiry.After(c.Now()) && !at.After(c.Now()) &&
			before.DeletionTimestamp == nil {
			return before, nil, fmt.Errorf("namespace %q has expired: an extension until %s would not keep it", name,
				at.Format(time.RFC3339))
		}
		spec := extension(before, at, c.Now())
		if len(spec) == 0 { // the lifetime reaches that far, and the lease is being renewed
			return before, before, nil
		}
		if reason != "" {
			spec["reason"] = reason
		}
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"uid": before.UID, "resourceVersion": before.ResourceVersion},
			"spec":     spec,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("encode the extension: %w", err)
		}
		// If an interrupted patch was applied, the next one is a conflict, and the next read shows it.
		after, err = c.mergePatch(ctx, name, patch, o)
		if !apierrors.IsConflict(err) || before.DeletionTimestamp != nil {
			return before, after, err
		}
		if now, gerr := c.Get(ctx, name); gerr != nil || now.ResourceVersion == before.ResourceVersion ||
			now.UID != before.UID {
			return before, nil, err // the conflict was not caused by a concurrent change
		}
	}
	return before, nil, apierrors.NewConflict(v1alpha1.Resource.GroupResource(), name,
		fmt.Errorf("other clients keep changing it; try again"))
}
