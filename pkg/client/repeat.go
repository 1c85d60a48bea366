// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"tenama.dev/tenama/api/v1alpha1"
)

// retries is the maximum number of attempts for a request that is safe to retry. Their pauses
// are three seconds in total, in which kube-apiserver and kube-proxy learn that a replica of
// the broker has ended.
const retries = 5

// repeat calls request until it succeeds, its error is not one to try again, or there are no
// retries left.
func repeat(ctx context.Context, again func(error) bool, request func() error) error {
	for try := 1; ; try++ {
		err := request()
		if err == nil || try == retries || !again(err) {
			return err
		}
		pause := time.Duration(try) * 300 * time.Millisecond
		if s, ok := apierrors.SuggestsClientDelay(err); ok && s > 0 {
			pause = time.Duration(s) * time.Second
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// isTransient reports whether err is temporary: the request may have been cut off, or come
// too early. Waiting in the queue of a budget is neither.
func isTransient(err error) bool {
	if message, _ := IsQueued(err); message != "" {
		return false
	}
	return isInterrupted(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsTimeout(err) || apierrors.HasStatusCause(err, v1alpha1.CauseNotContained)
}

// isInterrupted reports whether the request may not have reached a broker, or the response not
// the client: its connection broke, or kube-apiserver, which forwards it, answered 503 with
// text, which client-go records as a cause.
func isInterrupted(err error) bool {
	return utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err) ||
		apierrors.IsServiceUnavailable(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
