// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// CreateQueued is like Create, but waits for room in a budget: it repeats the request
// for at most d, and calls onQueued with the broker's message about the position in the
// queue whenever the message changes. A request ID is required; it keeps the position.
// Reasons: those of Create; TooManyRequests if d has elapsed.
func (c *Client) CreateQueued(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, d time.Duration, onQueued func(string), o metav1.CreateOptions,
) (*v1alpha1.TemporaryNamespace, error) {
	if tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
		return nil, fmt.Errorf("the annotation %q is required to wait in the queue", v1alpha1.AnnotationRequestID)
	}
	tn = tn.DeepCopy()
	end, last := time.Now().Add(d), ""
	for {
		tn.Annotations[v1alpha1.AnnotationWait] = max(time.Until(end), time.Second).Round(time.Second).String()
		created, err := c.Create(ctx, tn, o)
		message, retryAfter := IsQueued(err)
		if s, ok := apierrors.SuggestsClientDelay(err); message == "" && last != "" && apierrors.IsConflict(err) && ok {
			// a creation that lost a race is being rolled back, and its name is not free yet
			message, retryAfter = last, time.Duration(s)*time.Second
		}
		if message == "" {
			return created, err
		}
		if message != last {
			onQueued(message)
			last = message
		}
		if time.Now().Add(retryAfter).After(end) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

// IsQueued returns the message in err about the position in the queue, and the time after
// which to retry; the message is empty for any other error.
func IsQueued(err error) (message string, retryAfter time.Duration) {
	if status := cause(err, v1alpha1.CauseInLine); status != nil {
		return status.Message, time.Duration(status.Details.RetryAfterSeconds) * time.Second
	}
	return "", 0
}
