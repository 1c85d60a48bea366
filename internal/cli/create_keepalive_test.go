// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestKeepAlive verifies that the repeated create of a pipeline succeeds also when the namespace
// cannot live for --ttl: a merge request that has become old must not turn red.
func TestKeepAlive(t *testing.T) {
	const (
		ttl    = 8 * time.Hour
		latest = "the latest time that its class allows"
	)
	count := func(n int32) *int32 { return &n }
	for name, c := range map[string]struct {
		left, limit time.Duration // until its expiry and its maximum; a limit of zero is none
		extensions  int32
		maximum     *int32
		refused     bool // by the server, although the plugin expected otherwise
		until       time.Duration
		warning     string // empty: none
	}{
		"extended":          {left: time.Hour, limit: 100 * time.Hour, until: ttl},
		"no limit":          {left: time.Hour, until: ttl},
		"lives long enough": {left: 9 * time.Hour, limit: 100 * time.Hour},
		"as far as it goes": {left: time.Hour, limit: 3 * time.Hour, until: 3 * time.Hour, warning: latest},
		"at its maximum":    {left: 3 * time.Hour, limit: 3 * time.Hour, warning: latest},
		"used up": {left: time.Hour, limit: 100 * time.Hour, extensions: 5, maximum: count(5),
			warning: "it was extended 5 of 5 times"},
		"used up by another, meanwhile": {left: time.Hour, limit: 100 * time.Hour, extensions: 4, maximum: count(5),
			refused: true, until: ttl,
			warning: "spec.extendUntil: Forbidden: 5 times"},
		"counted, gains much": {left: 7 * time.Hour, limit: 100 * time.Hour, extensions: 4, maximum: count(5), until: ttl},
		"counted, gains little": {left: 7*time.Hour + 30*time.Minute, limit: 100 * time.Hour,
			extensions: 4, maximum: count(5)},
		"not counted, gains little": {left: 7*time.Hour + 30*time.Minute, limit: 100 * time.Hour, until: ttl},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
				tn := temporary("tmp-a", v1alpha1.TemporaryNamespaceSpec{}, v1alpha1.TemporaryNamespaceStatus{
					ExpirationTimestamp: at(c.left), Extensions: c.extensions, MaximumExtensions: c.maximum,
				})
				tn.ResourceVersion = "1"
				if c.limit > 0 {
					tn.Status.MaximumExpirationTimestamp = at(c.limit)
				}
				var asked time.Duration
				cluster := fakeClient(t, func(r *http.Request) any {
					if r.Method != http.MethodPatch {
						return tn
					}
					var patch struct {
						Spec v1alpha1.TemporaryNamespaceSpec `json:"spec"`
					}
					if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
						t.Error(err)
					}
					asked = patch.Spec.ExtendUntil.Sub(now)
					if c.refused {
						return apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), "tmp-a",
							field.ErrorList{field.Forbidden(field.NewPath("spec", "extendUntil"), "5 times")})
					}
					after := tn.DeepCopy()
					after.ResourceVersion, after.Status.ExpirationTimestamp = "2", patch.Spec.ExtendUntil
					return after
				})
				var out bytes.Buffer
				f := newFactory(genericiooptions.IOStreams{ErrOut: &out})
				o := &createOptions{createRequest: &createRequest{factory: f, ttl: durationValue{ttl}}}
				after, action, err := o.keepAlive(t.Context(), cluster, tn)
				if err != nil || asked.Round(time.Second) != c.until {
					t.Fatalf("got %v, extended until %v, want %v", err, asked, c.until)
				}
				if want := c.until > 0 && !c.refused; (action == "extended") != want || after == nil {
					t.Errorf("got %s, want extended: %t", action, want)
				}
				if (out.Len() > 0) != (c.warning != "") || !strings.HasSuffix(out.String(), c.warning+".\n") && c.warning != "" {
					t.Errorf("got %q, want a warning: %q", out.String(), c.warning)
				}
			})
		})
	}
}
