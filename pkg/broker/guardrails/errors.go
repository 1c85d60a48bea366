// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"tenama.dev/tenama/internal/denial"
)

// OccupiedError reports that an object of the class exists already and is not the
// broker's: a policy engine, for example, creates it in each new namespace.
type OccupiedError struct{ Kind, Name string }

func (e *OccupiedError) Error() string {
	return fmt.Sprintf("%s %q of the class already exists: another controller, such as a policy engine, creates it in "+
		"every new namespace; give the object of the class another name", e.Kind, e.Name)
}

// InvalidError reports that kube-apiserver does not accept an object of the class, which
// therefore cannot be used. It wraps the error of kube-apiserver, which names the object
// and the field.
type InvalidError struct{ err error }

func (e *InvalidError) Error() string { return e.err.Error() }

// Unwrap returns the error of kube-apiserver.
func (e *InvalidError) Unwrap() error { return e.err }

// isRejected reports whether kube-apiserver itself found an object invalid. The denial of
// a ValidatingAdmissionPolicy has the same reason, unless the policy names another one,
// and may depend on the namespace.
func isRejected(err error) bool { return apierrors.IsInvalid(err) && denial.By(err) == "" }

func occupied(obj runtime.Object) error {
	return &OccupiedError{obj.GetObjectKind().GroupVersionKind().Kind, nameOf(obj)}
}

// RetryForbidden repeats do while kube-apiserver answers Forbidden: a binding of the
// broker that was created a moment ago has to reach its RBAC cache, and how long that
// takes depends on the machine. It also repeats do as RetryConflict does. It returns the
// last error of do. When ctx is done, its error wraps that of ctx, which is transient.
func RetryForbidden(ctx context.Context, do func() error) error {
	return retry(ctx, do, func(err error) bool {
		return isQuotaConflict(err) || apierrors.IsForbidden(err) &&
			!apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) && !DeniedByPolicy(err)
	})
}

// RetryConflict repeats do while the quota admission of kube-apiserver could not count
// the object, because the quota was changed at the same time.
func RetryConflict(ctx context.Context, do func() error) error {
	return retry(ctx, do, isQuotaConflict)
}

// isQuotaConflict reports whether err is the conflict with which quota admission gives up
// after some tries (k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go).
func isQuotaConflict(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) {
		return false
	}
	d := status.Status().Details
	return d != nil && d.Kind == "resourcequotas"
}

// retry repeats do while its error is one that may pass, until ctx is done.
func retry(ctx context.Context, do func() error, mayPass func(error) bool) error {
	var last error
	backoff := wait.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 10, Cap: 100 * time.Millisecond}
	err := backoff.DelayFunc().Until(ctx, true, true, func(context.Context) (bool, error) {
		last = do()
		return !mayPass(last), nil
	})
	if err != nil { // ctx is done
		// Not %w for last: Forbidden would be permanent.
		return fmt.Errorf("%w while kube-apiserver answered: %v", err, last)
	}
	return last
}

// DeniedByPolicy reports whether the containment policy denied a request of the
// broker.
func DeniedByPolicy(err error) bool { return denial.By(err) == "tenama-broker" }
