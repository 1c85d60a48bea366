// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"

	"tenama.dev/tenama/api/v1alpha1"
)

// Events returns the Events that the broker created in a namespace, the newest last. Reasons:
// Forbidden, if the caller may not list Events there.
func (c *Client) Events(ctx context.Context, namespace string) ([]corev1.Event, error) {
	list := &corev1.EventList{}
	selector := fields.OneTermEqualSelector("reportingComponent", v1alpha1.EventController).String()
	err := c.rest.Get().AbsPath("/api/v1/namespaces/"+namespace+"/events").Param("fieldSelector", selector).
		Do(ctx).Into(list)
	if err != nil {
		return nil, fmt.Errorf("list the Events in %q: %w", namespace, err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int {
		return a.LastTimestamp.Compare(b.LastTimestamp.Time)
	})
	return list.Items, nil
}
