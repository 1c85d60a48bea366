// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"tenama.dev/tenama/api/v1alpha1"
)

// GuardRails returns the guard rails of a namespace, read with the caller's own
// permissions: its quotas with their usage, limit ranges and network policies. Kinds
// that the caller is not allowed to read are omitted.
func (c *Client) GuardRails(ctx context.Context, ns string) (*GuardRails, error) {
	out := &GuardRails{}
	for _, part := range []struct {
		path string
		into runtime.Object
	}{
		{"/api/v1/namespaces/" + ns + "/resourcequotas", &out.Quotas},
		{"/api/v1/namespaces/" + ns + "/limitranges", &out.LimitRanges},
		{"/apis/networking.k8s.io/v1/namespaces/" + ns + "/networkpolicies", &out.NetworkPolicies},
	} {
		if err := c.rest.Get().AbsPath(part.path).Do(ctx).Into(part.into); err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
	}
	return out, nil
}

// GuardRails are the objects that restrict the tenants of a namespace.
type GuardRails struct {
	Quotas          corev1.ResourceQuotaList
	LimitRanges     corev1.LimitRangeList
	NetworkPolicies networkingv1.NetworkPolicyList
}

// Refresh replaces the objects of a temporary namespace by the current objects of its
// class. Reasons: NotFound, Conflict, Invalid (the class differs in fields that are
// fixed at creation, or has changed again), Forbidden (a budget has no room for the
// additional amounts).
func (c *Client) Refresh(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, revision string, o metav1.PatchOptions,
) (*v1alpha1.TemporaryNamespace, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": tn.UID}, "spec": map[string]any{"classRevision": revision},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the revision: %w", err)
	}
	return c.mergePatch(ctx, tn.Name, patch, o)
}
