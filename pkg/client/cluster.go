// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"tenama.dev/tenama/api/v1alpha1"
)

// ServerVersion returns the version of kube-apiserver.
func (c *Client) ServerVersion(ctx context.Context) (version.Info, error) {
	var out version.Info
	b, err := c.rest.Get().AbsPath("/version").Do(ctx).Raw()
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

// APIServiceAvailable returns the condition Available of an APIService
// (apiregistration.k8s.io/v1). Reasons: Forbidden, NotFound.
func (c *Client) APIServiceAvailable(ctx context.Context, name string) (metav1.Condition, error) {
	var out struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	b, err := c.rest.Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices", name).Do(ctx).Raw()
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return metav1.Condition{}, err
	}
	for _, cond := range out.Status.Conditions {
		if cond.Type == "Available" {
			return cond, nil
		}
	}
	return metav1.Condition{
		Type: "Available", Status: metav1.ConditionUnknown,
		Reason: "Unknown", Message: "kube-apiserver has not checked it yet",
	}, nil
}

// ExpiryPaused reports whether an administrator has paused the expiries of all namespaces,
// and the reason, which may be empty. Reasons: Forbidden (only administrators may read the
// ClusterRole of the broker), NotFound.
func (c *Client) ExpiryPaused(ctx context.Context) (reason string, paused bool, err error) {
	var role metav1.PartialObjectMetadata
	b, err := c.rest.Get().AbsPath("/apis/rbac.authorization.k8s.io/v1/clusterroles", v1alpha1.ClusterRoleBroker).
		Do(ctx).Raw()
	if err == nil {
		err = json.Unmarshal(b, &role)
	}
	reason, paused = role.Annotations[v1alpha1.AnnotationPauseExpiry]
	return reason, paused, err
}
