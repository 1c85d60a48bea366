// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// Renew says that whoever holds the lease of a temporary namespace still does: it
// then lives on for the duration of the lease. It counts as no extension. Reasons:
// NotFound, Conflict (it is over, or another namespace has the name), Invalid (there
// is no lease).
func (c *Client) Renew(ctx context.Context, tn *v1alpha1.TemporaryNamespace, at time.Time) (*v1alpha1.TemporaryNamespace, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": tn.UID}, "spec": map[string]any{"renewTime": at.UTC().Truncate(time.Second).Format(time.RFC3339)},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the renewal: %w", err)
	}
	return c.Patch(ctx, tn.Name, types.MergePatchType, patch, metav1.PatchOptions{})
}

// Extension computes, from a namespace and the present time by the server's
// clock, how long it is to live at least.
type Extension func(tn *v1alpha1.TemporaryNamespace, now time.Time) time.Time

// Extend keeps a temporary namespace alive at least until the time that until
// computes, and records the reason if it is not empty. If it lives that long
// anyway, nothing is written. It returns the namespace before and after.
// Reasons: NotFound, Conflict (expired, or being deleted), Invalid (beyond the
// most that is possible).
func (c *Client) Extend(ctx context.Context, name string, until Extension, reason string, o metav1.PatchOptions) (before, after *v1alpha1.TemporaryNamespace, err error) {
	if o.FieldManager == "" {
		o.FieldManager = FieldManager
	}
	for range retries {
		if before, err = c.Get(ctx, name); err != nil {
			return nil, nil, err
		}
		at := until(before, c.Now()).UTC().Truncate(time.Second)
		if expiry := before.Status.ExpirationTimestamp; expiry != nil && !at.After(expiry.Time) && before.DeletionTimestamp == nil && expiry.After(c.Now()) {
			return before, before, nil
		}
		spec := map[string]any{}
		if end := v1alpha1.DeadlineOf(before); end.IsZero() || at.After(end) || before.Spec.LeaseDurationSeconds == nil {
			spec["extendUntil"] = at.Format(time.RFC3339)
		}
		if s := before.Spec.LeaseDurationSeconds; s != nil { // then both bound it
			spec["renewTime"] = at.Add(-time.Duration(*s) * time.Second).Format(time.RFC3339)
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
		after = &v1alpha1.TemporaryNamespace{}
		err = c.rest.Patch(types.MergePatchType).Resource(v1alpha1.Resource.Resource).Name(name).VersionedParams(&o, parameterCodec).Body(patch).Do(ctx).Into(after)
		if !apierrors.IsConflict(err) || before.DeletionTimestamp != nil {
			return before, after, err
		}
		if now, gerr := c.Get(ctx, name); gerr != nil || now.ResourceVersion == before.ResourceVersion || now.UID != before.UID {
			return before, nil, err // it was not a change in between
		}
	}
	return before, nil, apierrors.NewConflict(v1alpha1.Resource.GroupResource(), name, fmt.Errorf("it is being changed all the time; try again"))
}
