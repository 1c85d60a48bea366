// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// A hold stands in annotations of the Namespace, which administrators write with their own
// rights: the broker can neither set nor end one. An admission policy compares the recorded
// name with the user's.

// Hold keeps a temporary namespace from expiring and from being deleted until Unhold, and
// records the user, the time and the reason. It replaces another hold. Reasons: NotFound,
// Conflict (the name is another namespace's now), Forbidden (the user may not patch
// namespaces, or lacks the verb administer), Invalid (the reason is empty or longer than 256
// characters, or the namespace is being deleted).
func (c *Client) Hold(ctx context.Context, tn *v1alpha1.TemporaryNamespace, reason string) error {
	user, err := c.User(ctx)
	if err != nil {
		return err
	}
	return c.annotate(ctx, tn, map[string]any{
		v1alpha1.AnnotationHold: reason, v1alpha1.AnnotationHeldBy: user,
		v1alpha1.AnnotationHeldSince: c.Now().UTC().Format(time.RFC3339),
	})
}

// Unhold ends the hold of a temporary namespace. If it has expired meanwhile, it is deleted
// unless it is extended first. Reasons: NotFound, Conflict, Forbidden.
func (c *Client) Unhold(ctx context.Context, tn *v1alpha1.TemporaryNamespace) error {
	return c.annotate(ctx, tn, map[string]any{
		v1alpha1.AnnotationHold: nil, v1alpha1.AnnotationHeldBy: nil, v1alpha1.AnnotationHeldSince: nil,
	})
}

// annotate writes annotations of the Namespace that tn represents; nil removes one. Both
// have the same resourceVersion, which is the precondition that it is still the same.
func (c *Client) annotate(ctx context.Context, tn *v1alpha1.TemporaryNamespace, annotations map[string]any) error {
	for range retries {
		now, err := c.Get(ctx, tn.Name)
		if err != nil {
			return err
		}
		if now.UID != tn.UID {
			break
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"resourceVersion": now.ResourceVersion, "annotations": annotations,
		}})
		if err != nil {
			return fmt.Errorf("encode the hold: %w", err)
		}
		err = repeat(ctx, isInterrupted, func() error {
			return c.rest.Patch(types.MergePatchType).AbsPath("/api/v1/namespaces", tn.Name).
				Param("fieldManager", FieldManager).Body(patch).Do(ctx).Into(&corev1.Namespace{})
		})
		if !apierrors.IsConflict(err) {
			return err
		}
	}
	return apierrors.NewConflict(v1alpha1.Resource.GroupResource(), tn.Name,
		fmt.Errorf("it was changed meanwhile; try again"))
}
