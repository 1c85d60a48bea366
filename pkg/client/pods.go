// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// Pods returns the pods of a namespace, read with the caller's own permissions.
// Reasons: Forbidden, Unauthorized.
func (c *Client) Pods(ctx context.Context, ns string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := c.rest.Get().AbsPath("/api/v1/namespaces/" + ns + "/pods").Do(ctx).Into(&list)
	return list.Items, err
}
