// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An error of the connection to kube-apiserver must be one that clients repeat, and one of
// the broker's own rights must not look like one of the user's.
func TestTranslate(t *testing.T) {
	r := &Registry{Log: slog.New(slog.DiscardHandler)}
	failed := func(err error) error {
		return fmt.Errorf("create: %w", &url.Error{Op: "Post", URL: "https://10.0.0.1/api/v1/namespaces", Err: err})
	}
	namespaces := corev1.Resource("namespaces")
	for name, c := range map[string]struct {
		err  error
		want metav1.StatusReason
	}{
		"the connection was reset":  {failed(syscall.ECONNRESET), metav1.StatusReasonServerTimeout},
		"the connection was closed": {failed(syscall.EPIPE), metav1.StatusReasonServerTimeout},
		"the connection was lost": {failed(errors.New("http2: client connection force closed via ClientConn.Close")),
			metav1.StatusReasonServerTimeout},
		"no route":               {failed(syscall.EHOSTUNREACH), metav1.StatusReasonServerTimeout},
		"the request took long":  {fmt.Errorf("bind: %w", context.DeadlineExceeded), metav1.StatusReasonServerTimeout},
		"kube-apiserver is busy": {apierrors.NewTooManyRequests("busy", 1), metav1.StatusReasonServerTimeout},
		"a quota was changed": {apierrors.NewConflict(corev1.Resource("resourcequotas"), "q", errors.New("x")),
			metav1.StatusReasonServerTimeout},
		"it exists":      {apierrors.NewAlreadyExists(namespaces, "tmp-a"), metav1.StatusReasonAlreadyExists},
		"it was changed": {apierrors.NewConflict(namespaces, "tmp-a", errors.New("x")), metav1.StatusReasonConflict},
		"it is gone":     {apierrors.NewNotFound(namespaces, "tmp-a"), metav1.StatusReasonNotFound},
		"the broker may not": {apierrors.NewForbidden(namespaces, "tmp-a", errors.New("x")),
			metav1.StatusReasonInternalError},
		"another object is gone": {apierrors.NewNotFound(corev1.Resource("secrets"), "x"), metav1.StatusReasonInternalError},
		"an error about the view": {apierrors.NewForbidden(groupResource, "tmp-a", errors.New("x")),
			metav1.StatusReasonForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			if got := apierrors.ReasonForError(r.translate(t.Context(), c.err, "tmp-a")); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
