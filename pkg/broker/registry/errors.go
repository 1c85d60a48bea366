// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/audit"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/denial"
	"tenama.dev/tenama/pkg/broker/guardrails"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

var groupResource = v1alpha1.Resource.GroupResource()

var (
	errUnreadable = errors.New("its expiry cannot be read; an administrator has to repair its annotations or delete it")
	errChanged    = errors.New("it was modified by another request; read it again and retry")
)

// onHold returns the error for the deletion of a namespace that an administrator keeps.
func onHold(ns *corev1.Namespace) error {
	reason := ns.Annotations[v1alpha1.AnnotationHold]
	by := cmp.Or(ns.Annotations[v1alpha1.AnnotationHeldBy], "an administrator")
	err := apierrors.NewConflict(groupResource, ns.Name, fmt.Errorf("it is on hold by %s: %s", by, reason))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type: v1alpha1.CauseOnHold, Message: reason,
	})
	return err
}

func notFound(name string) error { return apierrors.NewNotFound(groupResource, name) }

// translate turns an error of kube-apiserver about the Namespace name into the error
// about the TemporaryNamespace that the caller gets. An error about a
// TemporaryNamespace is returned as it is, and the reasons that both have in common
// are renamed. Anything else is an error of the broker: its Forbidden must not read
// like the user's, and its text names internals. The caller gets the audit ID, and the
// log gets the error.
func (r *Registry) translate(ctx context.Context, err error, name string) error {
	if err == nil {
		return nil
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch d := status.Status().Details; {
		case d != nil && d.Group == groupResource.Group:
			return err
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return apierrors.NewConflict(groupResource, name, lifecycle.ErrDeleting)
		case d != nil && d.Kind == "namespaces" && apierrors.IsNotFound(err):
			return notFound(name)
		case d != nil && d.Kind == "namespaces" && apierrors.IsAlreadyExists(err):
			return apierrors.NewAlreadyExists(groupResource, name)
		case name == "" && isClientError(err), apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge):
			// as the caller asked for it
			return err
		case d != nil && d.Kind == "namespaces" && apierrors.IsConflict(err):
			return apierrors.NewConflict(groupResource, name, errChanged)
		}
	}
	if isTransient(err) {
		r.Log.Warn("kube-apiserver did not answer in time", "namespace", name, "err", err, "auditID", auditID(ctx))
		return apierrors.NewServerTimeout(groupResource, "request", 1)
	}
	var occupied *guardrails.OccupiedError
	if errors.As(err, &occupied) {
		return apierrors.NewInternalError(occupied)
	}
	if guardrails.DeniedByPolicy(err) {
		_, why := denial.Parse(err.Error())
		r.Log.Error("A containment policy denied a request of the broker: deploy/ and the broker must have the same "+
			"release and prefixes", "namespace", name, "err", err, "auditID", auditID(ctx))
		return apierrors.NewInternalError(fmt.Errorf("the containment policy denied a request of the broker (%s); an "+
			"administrator has to install deploy/ and the broker of the same release", why))
	}
	r.Log.Error("Request to kube-apiserver failed", "namespace", name, "err", err, "auditID", auditID(ctx))
	return apierrors.NewInternalError(fmt.Errorf("internal error; see the log of the broker for audit ID %q",
		auditID(ctx)))
}

// isClientError reports whether kube-apiserver rejected a list or watch because of
// its options: a malformed selector or token, or a resourceVersion or token that is
// too old (then the error has another token).
func isClientError(err error) bool {
	return apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) || apierrors.IsResourceExpired(err) ||
		apierrors.IsGone(err)
}

func auditID(ctx context.Context) string {
	return audit.GetAuditIDTruncated(ctx)
}

// isTransient reports whether the same request may succeed in a moment: it was not
// answered in time, its connection failed, or another request changed the same object.
func isTransient(err error) bool {
	var transport *url.Error
	return errors.As(err, &transport) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsConflict(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) ||
		utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
		utilnet.IsHTTP2ConnectionLost(err)
}
