// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// expiring returns a namespace that expires at the given time even if its lease is renewed.
func expiring(at time.Time) *v1alpha1.TemporaryNamespace {
	tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{})
	if !at.IsZero() {
		tn.CreationTimestamp = metav1.Time{Time: at.Add(-7 * 24 * time.Hour)}
		tn.Spec.ExtendUntil = &metav1.Time{Time: at}
		tn.Status.MaximumExpirationTimestamp = &metav1.Time{Time: at}
	}
	return tn
}

// TestNextCheck verifies that the lease is renewed well within its duration, and that
// the end of a namespace is noticed just after it and not half a minute later.
func TestNextCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range map[time.Duration]time.Duration{
			time.Hour: 30 * time.Second, 10 * time.Second: 12 * time.Second, -time.Minute: 5 * time.Second,
		} {
			h := &leaseHolder{c: &client.Client{}, tn: expiring(time.Now().Add(left))}
			if got := h.nextCheck(); got != want {
				t.Errorf("%s before the deadline: got %s, want %s", left, got, want)
			}
		}
		unbounded := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{},
			v1alpha1.TemporaryNamespaceStatus{Lifetime: v1alpha1.LifetimeUnbounded})
		h := &leaseHolder{c: &client.Client{}, tn: unbounded}
		if got := h.nextCheck(); got != 30*time.Second {
			t.Errorf("without a deadline: got %s, want 30s", got)
		}
	})
	if leaseDuration < 3*renewEvery {
		t.Error("one lost renewal would end a namespace")
	}
	if leaseDuration >= v1alpha1.Soon {
		t.Error("the lease would be treated like a TTL, and its owner warned all the time")
	}
}

// TestKeptExpiry verifies how long --keep keeps a namespace: too short, and the remains
// of a failed test are gone before a user has looked at them.
func TestKeptExpiry(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			byDefault time.Duration // of the class; zero: none, negative: the class cannot be read
			deadline  time.Duration
			ttl       time.Duration
			want      time.Duration
		}{
			"as the class says":           {8 * time.Hour, 7 * day, 0, 8 * time.Hour},
			"no lifetime in the class":    {0, 7 * day, 0, day},
			"the class is not readable":   {-1, 7 * day, 0, day},
			"until --ttl":                 {8 * time.Hour, 2 * day, 2 * day, 2 * day},
			"no longer than the deadline": {8 * time.Hour, time.Hour, 0, time.Hour},
		} {
			c2 := fakeClient(t, func(*http.Request) any {
				if c.byDefault < 0 {
					return apierrors.NewForbidden(policyv1alpha1.Resource.GroupResource(), "x", nil)
				}
				class := &policyv1alpha1.NamespaceClass{}
				class.Spec.Lifetime.DefaultTTLSeconds = int64(c.byDefault / time.Second)
				return class
			})
			o := &runOptions{createRequest: &createRequest{ttl: durationValue{c.ttl}}}
			h := &leaseHolder{runOptions: o, c: c2, tn: expiring(time.Now().Add(c.deadline))}
			if got := time.Until(h.keptExpiry(t.Context())); got != c.want {
				t.Errorf("%s: got %s, want %s", name, got, c.want)
			}
		}
	})
}

// TestKeepLease verifies that the lease is renewed until its context ends, sooner after
// an error, and that the user is told once when the namespace is gone or near its end.
func TestKeepLease(t *testing.T) {
	gone := `Warning: namespace "tmp-a" is gone; the command keeps running without it.` + "\n"
	for name, c := range map[string]struct {
		answer   func(r *http.Request, renewals int) any
		deadline time.Duration
		renewals int // within 16 minutes
		output   string
		isGone   bool
	}{
		"renewed":   {func(*http.Request, int) any { return nil }, 0, 4, "", false},
		"not found": {func(*http.Request, int) any { return notFound("tmp-a") }, 0, 0, gone, true},
		"an error, then renewed": {func(r *http.Request, n int) any {
			if r.Method == http.MethodPatch && n == 1 {
				return apierrors.NewInternalError(context.DeadlineExceeded)
			}
			return nil
		}, 0, 5, "", false},
		"renewed while reads fail": {func(r *http.Request, _ int) any {
			if r.Method == http.MethodGet {
				return apierrors.NewInternalError(context.DeadlineExceeded)
			}
			return nil
		}, 0, 4, "", false},
		"being deleted": {func(r *http.Request, _ int) any {
			if r.Method == http.MethodPatch {
				return apierrors.NewConflict(v1alpha1.Resource.GroupResource(), "tmp-a", nil)
			}
			tn := expiring(time.Time{})
			tn.DeletionTimestamp = &metav1.Time{Time: time.Now()}
			return tn
		}, 0, 0, gone, true},
		"a conflict that passes": {func(r *http.Request, n int) any {
			if r.Method == http.MethodPatch && n == 1 {
				return apierrors.NewConflict(v1alpha1.Resource.GroupResource(), "tmp-a", nil)
			}
			return nil
		}, 0, 5, "", false},
		"near its deadline": {func(*http.Request, int) any { return nil }, 4 * time.Minute, 4,
			`Warning: namespace "tmp-a" expires in 4m (`, false},
	} {
		t.Run(name, func(t *testing.T) {
			expiry := filepath.Join(t.TempDir(), runExpiryFile)
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{},
					v1alpha1.TemporaryNamespaceStatus{Lifetime: v1alpha1.LifetimeUnbounded})
				if c.deadline > 0 {
					tn = expiring(time.Now().Add(c.deadline))
				}
				renewals := 0
				cl := fakeClient(t, func(r *http.Request) any {
					if r.Method == http.MethodPatch && path.Base(r.URL.Path) == "tmp-a" {
						renewals++
					}
					if a := c.answer(r, renewals); a != nil {
						return a
					}
					return tn
				})
				f := newFactory(genericiooptions.IOStreams{ErrOut: &out})
				o := &runOptions{createRequest: &createRequest{factory: f}, asMe: true}
				h := &leaseHolder{runOptions: o, c: cl, tn: tn, expiry: expiry}
				ctx, cancel := context.WithTimeout(t.Context(), 16*time.Minute+30*time.Second)
				defer cancel()
				h.keepLease(ctx)
				if renewals != c.renewals || h.gone != c.isGone {
					t.Errorf("got %d renewals, gone %v, want %d, %v", renewals, h.gone, c.renewals, c.isGone)
				}
				if got := out.String(); got != c.output && (c.output == "" || !strings.HasPrefix(got, c.output)) ||
					strings.Count(got, "\n") > 1 {
					t.Errorf("got output %q, want %q once", got, c.output)
				}
			})
		})
	}
}
