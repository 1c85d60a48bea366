// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/api/v1alpha1"
)

// WaitGone returns once the temporary namespace with this name and UID is gone, or ctx
// is done. It keeps waiting during temporary errors, such as an interrupted connection.
func (c *Client) WaitGone(ctx context.Context, name string, uid types.UID) error {
	for {
		now, err := c.Get(ctx, name)
		switch {
		case IsGone(err), err == nil && now.UID != uid:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err):
			return err
		case err != nil: // the broker restarts or the connection is interrupted: the deletion goes on
			now = &v1alpha1.TemporaryNamespace{}
		}
		w, err := c.Watch(ctx, metav1.ListOptions{
			FieldSelector: "metadata.name=" + name, ResourceVersion: now.ResourceVersion,
		})
		if err == nil {
			gone := waitDeleted(ctx, w)
			w.Stop()
			if gone {
				return nil
			}
		}
		select { // the watch ended early: check again after a pause
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func waitDeleted(ctx context.Context, w watch.Interface) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case e, ok := <-w.ResultChan():
			if !ok || e.Type == watch.Error {
				return false
			}
			if e.Type == watch.Deleted {
				return true
			}
		}
	}
}
