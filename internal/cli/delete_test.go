// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestSelectOwn verifies that --all deletes nothing of others, also if the server
// lists everything, and that a failed question about the caller selects
// nothing.
func TestSelectOwn(t *testing.T) {
	of := func(name, owner, group string) v1alpha1.TemporaryNamespace {
		return *temporary(name, v1alpha1.TemporaryNamespaceSpec{},
			v1alpha1.TemporaryNamespaceStatus{Owner: owner, OwnerGroup: group})
	}
	held := of("tmp-held", "alice", "")
	lease, until := int64(leaseDuration/time.Second), metav1.NewTime(time.Now().Add(leaseDuration))
	held.Spec.LeaseDurationSeconds, held.Status.ExpirationTimestamp = &lease, &until
	for name, c := range map[string]struct {
		fails bool
		want  string
	}{"known": {false, "tmp-a"}, "not known": {true, ""}} {
		client := fakeClient(t, func(r *http.Request) any {
			switch {
			case path.Base(r.URL.Path) == "selfsubjectreviews" && c.fails:
				return apierrors.NewTooManyRequests("busy", 0)
			case path.Base(r.URL.Path) == "selfsubjectreviews":
				review := &authenticationv1.SelfSubjectReview{}
				review.Status.UserInfo.Username = "alice"
				return review
			}
			return &v1alpha1.TemporaryNamespaceList{Items: []v1alpha1.TemporaryNamespace{of("tmp-a", "alice", ""),
				of("tmp-b", "bob", ""), of("tmp-c", "alice", "devs"), of("tmp-d", "carol", "devs"), held}}
		})
		o := &deleteOptions{factory: newFactory(genericiooptions.NewTestIOStreamsDiscard()), all: true}
		got, err := o.selectOwn(t.Context(), client)
		var names []string
		for _, tn := range got {
			names = append(names, tn.Name)
		}
		if strings.Join(names, ",") != c.want || (err != nil) != c.fails {
			t.Errorf("%s: selected %v, %v", name, names, err)
		}
	}
}

// TestOwnIsKnown verifies that a list of one's own fails, rather than showing what others
// own, if it is not known whether the server would list these.
func TestOwnIsKnown(t *testing.T) {
	for fails, want := range map[string]string{"": "status.owner=alice", "selfsubjectaccessreviews": "",
		"selfsubjectreviews": ""} {
		client := fakeClient(t, func(r *http.Request) any {
			switch path.Base(r.URL.Path) {
			case fails:
				return apierrors.NewTooManyRequests("busy", 0)
			case "selfsubjectaccessreviews":
				return &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}
			}
			return &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{
				UserInfo: authenticationv1.UserInfo{Username: "alice"}}}
		})
		var o metav1.ListOptions
		err := newFactory(genericiooptions.NewTestIOStreamsDiscard()).restrictToOwn(t.Context(), client, &o)
		if (err == nil) != (fails == "") || o.FieldSelector != want {
			t.Errorf("%q fails: %v, selects %q", fails, err, o.FieldSelector)
		}
	}
}
