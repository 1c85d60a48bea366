// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
)

// rbacLag is how long a right that was granted a moment ago may take to reach
// the RBAC cache of kube-apiserver. Until then it answers Forbidden.
const rbacLag = 3 * time.Second

// OccupiedError says that an object of the class exists already and is not the
// broker's: a policy engine, for example, makes it in each new namespace.
type OccupiedError struct{ Kind, Name string }

func (e *OccupiedError) Error() string {
	return fmt.Sprintf("%s %q of the class already exists: another controller, such as a policy engine, makes it in every new namespace; give the object of the class another name", e.Kind, e.Name)
}

func occupied(obj runtime.Object) error {
	return &OccupiedError{obj.GetObjectKind().GroupVersionKind().Kind, nameOf(obj)}
}

// RetryForbidden repeats do while kube-apiserver answers Forbidden because it does
// not know a binding of the broker yet. It returns the last error of do, or that
// of ctx.
func RetryForbidden(ctx context.Context, do func() error) error {
	var last error
	begun := time.Now()
	backoff := wait.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 10, Cap: 100 * time.Millisecond}
	err := backoff.DelayFunc().Until(ctx, true, true, func(context.Context) (bool, error) {
		last = do()
		lagging := apierrors.IsForbidden(last) && !apierrors.HasStatusCause(last, corev1.NamespaceTerminatingCause) && !DeniedByPolicy(last)
		return !lagging || time.Since(begun) > rbacLag, nil
	})
	if err != nil { // ctx is done
		return err
	}
	return last
}

// DeniedByPolicy reports whether the containment policy denied a request of the
// broker. kube-apiserver says so in its message alone
// (k8s.io/apiserver/pkg/admission/plugin/policy/validating).
func DeniedByPolicy(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "ValidatingAdmissionPolicy 'tenama-broker'") || strings.Contains(text, "ValidatingAdmissionPolicy 'tenama-broker.static.k8s.io'")
}
