// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/audit"

	"tenama.dev/tenama/api/v1alpha1"
)

var groupResource = v1alpha1.Resource.GroupResource()

var (
	errUnreadable = errors.New("its expiry cannot be read; an administrator has to mend its annotations, or delete it")
	errDeleting   = errors.New("it is being deleted")
	errChanged    = errors.New("it was changed meanwhile; read it again and repeat")
)

func notFound(name string) error { return apierrors.NewNotFound(groupResource, name) }

// translate turns an error of kube-apiserver about the Namespace called name
// into the one that the caller sees about the TemporaryNamespace. What is an
// error about a TemporaryNamespace already passes; so do, renamed, the reasons
// that hold for both. Anything else is the broker's own trouble: its Forbidden
// must not read like the user's, and its text names internals. The caller gets
// the audit ID, the log gets the error.
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
			return apierrors.NewConflict(groupResource, name, errDeleting)
		case d != nil && d.Kind == "namespaces" && apierrors.IsNotFound(err):
			return notFound(name)
		case d != nil && d.Kind == "namespaces" && apierrors.IsAlreadyExists(err):
			return apierrors.NewAlreadyExists(groupResource, name)
		case name == "" && aboutTheRequest(err), apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge): // as the caller asked for it
			return err
		case d != nil && d.Kind == "namespaces" && apierrors.IsConflict(err):
			return apierrors.NewConflict(groupResource, name, errChanged)
		}
	}
	if transient(err) {
		r.Log.Warn("kube-apiserver did not answer in time", "namespace", name, "err", err, "auditID", auditID(ctx))
		return apierrors.NewServerTimeout(groupResource, "request", 1)
	}
	var o *occupied
	if errors.As(err, &o) {
		return apierrors.NewInternalError(o)
	}
	if byPolicy(err) {
		_, why, _ := strings.Cut(err.Error(), "denied request: ")
		r.Log.Error("A policy refuses what the broker does: deploy/ and the broker must be of one release, with one prefix", "namespace", name, "err", err, "auditID", auditID(ctx))
		return apierrors.NewInternalError(fmt.Errorf("the containment policy does not let the broker do it (%s); an administrator has to bring deploy/ and the broker together", why))
	}
	r.Log.Error("Request to kube-apiserver failed", "namespace", name, "err", err, "auditID", auditID(ctx))
	return apierrors.NewInternalError(fmt.Errorf("the broker could not do it; its log says why under audit ID %q", auditID(ctx)))
}

// aboutTheRequest tells whether kube-apiserver refused a list or watch for what
// it asks for: a malformed selector or token, or a resourceVersion or token that
// is too old (the error has another token).
func aboutTheRequest(err error) bool {
	return apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// byPolicy tells whether the containment policy refused what the broker did.
func byPolicy(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "ValidatingAdmissionPolicy 'tenama-broker'") || strings.Contains(text, "ValidatingAdmissionPolicy 'tenama-broker.static.k8s.io'")
}

func auditID(ctx context.Context) string {
	id, _ := audit.AuditIDFrom(ctx)
	return string(id)
}

// transient tells whether the same request may succeed in a moment.
func transient(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) ||
		utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
}

// definite tells whether repeating the same request must fail the same way.
func definite(err error) bool {
	var o *occupied
	return errors.As(err, &o) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsRequestEntityTooLargeError(err)
}
