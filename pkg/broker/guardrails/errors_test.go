// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// On a slow cluster, a new binding reaches the RBAC cache late. A creation that failed
// after some seconds would delete a namespace that only needed to wait.
func TestRetryForbidden(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "serviceaccounts"}, "default", errors.New("no"))
	policy := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "x",
		errors.New("ValidatingAdmissionPolicy 'tenama-broker' with binding 'tenama-broker' denied request: no"))
	for name, c := range map[string]struct {
		until time.Duration // it is forbidden
		err   error         // then
		took  time.Duration
		want  func(error) bool
	}{
		"granted after 20 s": {20 * time.Second, nil, 20 * time.Second, func(err error) bool { return err == nil }},
		"never granted": {time.Hour, nil, 25 * time.Second, func(err error) bool {
			return errors.Is(err, context.DeadlineExceeded) && !apierrors.IsForbidden(err)
		}},
		"another error":    {0, apierrors.NewBadRequest("no"), 0, apierrors.IsBadRequest},
		"denied by policy": {0, policy, 0, apierrors.IsForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				defer cancel()
				begun := time.Now()
				err := RetryForbidden(ctx, func() error {
					if time.Since(begun) < c.until {
						return forbidden
					}
					return c.err
				})
				if took := time.Since(begun); !c.want(err) || took < c.took || took > c.took+time.Second {
					t.Errorf("got %v after %s", err, took)
				}
			})
		})
	}
}

// Quota admission gives up after some tries on a busy cluster. A creation must not fail for
// that, and a conflict about another object must not be repeated: its object has changed.
func TestRetryConflict(t *testing.T) {
	quota := apierrors.NewConflict(schema.GroupResource{Resource: "resourcequotas"}, "tenama", errors.New("modified"))
	other := apierrors.NewConflict(schema.GroupResource{Resource: "rolebindings"}, "tenama", errors.New("modified"))
	for name, c := range map[string]struct {
		errs []error // of each call
		want error
	}{
		"quota":      {[]error{quota, quota, quota, nil}, nil},
		"then other": {[]error{quota, other}, other},
		"other":      {[]error{other}, other},
		"wrapped":    {[]error{fmt.Errorf("bind: %w", quota), nil}, nil},
	} {
		for _, retry := range []func(context.Context, func() error) error{RetryConflict, RetryForbidden} {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := retry(t.Context(), func() error { calls++; return c.errs[calls-1] })
				if !errors.Is(err, c.want) || calls != len(c.errs) {
					t.Errorf("%s: got %v after %d calls, want %v after %d", name, err, calls, c.want, len(c.errs))
				}
			})
		}
	}
}
