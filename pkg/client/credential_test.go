// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// TestCredentialAddress verifies that a credential is handed out only if the cluster takes it for
// its ServiceAccount: behind a proxy that logs in by itself it would be the user.
func TestCredentialAddress(t *testing.T) {
	const account = "system:serviceaccount:tmp-a:tenama-edit"
	for name, c := range map[string]struct {
		users     []string // that the cluster takes the token for, by request; empty: 401
		existing  bool     // account and binding are there already
		want      string   // of the error; empty: none
		deletions int
	}{
		"confined":                 {users: []string{account}},
		"one of several is behind": {users: []string{"", "", account}},
		"the user":                 {users: []string{"alice"}, want: `uses the identity of "alice"`, deletions: 2},
		"the user, account kept":   {users: []string{"alice"}, existing: true, want: `uses the identity of "alice"`},
		"another account": {users: []string{"system:serviceaccount:tmp-b:tenama-edit"},
			want: "tmp-b", deletions: 2},
		"tokens are not accepted":    {users: []string{""}, want: "does not accept tokens of ServiceAccounts", deletions: 2},
		"not accepted, account kept": {users: []string{""}, existing: true, want: "does not accept tokens"},
		"anonymous":                  {users: []string{"system:anonymous"}, want: "system:anonymous", deletions: 2},
	} {
		t.Run(name, func(t *testing.T) {
			deletions, reviews := 0, 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := func(code int, body any) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(code)
					_ = json.NewEncoder(w).Encode(body)
				}
				status := func(code int32, reason metav1.StatusReason) {
					answer(int(code), metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
						Status: metav1.StatusFailure, Code: code, Reason: reason})
				}
				var body map[string]any
				_ = json.NewDecoder(r.Body).Decode(&body)
				switch path := r.URL.Path; {
				case r.Method == http.MethodDelete:
					deletions++
					answer(200, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
						Status: metav1.StatusSuccess})
				case strings.HasSuffix(path, "/token"):
					body["status"] = authenticationv1.TokenRequestStatus{Token: "T", ExpirationTimestamp: metav1.Now()}
					answer(201, body)
				case strings.HasSuffix(path, "/selfsubjectreviews"):
					user := c.users[min(reviews, len(c.users)-1)]
					if reviews++; r.Header.Get("Authorization") != "Bearer T" {
						t.Errorf("asked with %q", r.Header.Get("Authorization"))
					}
					if user == "" {
						status(401, metav1.StatusReasonUnauthorized)
						return
					}
					body["status"] = authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: user}}
					answer(201, body)
				case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
					body["status"] = authorizationv1.SubjectAccessReviewStatus{Allowed: true}
					answer(201, body)
				case c.existing && r.Method == http.MethodPost:
					status(409, metav1.StatusReasonAlreadyExists)
				case c.existing:
					group := rbacv1.GroupName
					answer(200, rbacv1.RoleBinding{
						TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
						RoleRef:  rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: "edit"},
						Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "tmp-a", Name: "tenama-edit"}},
					})
				default:
					answer(201, body)
				}
			}))
			defer server.Close()
			cl, err := New(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-a"}}
			cred, err := cl.Credential(t.Context(), tn, "edit", time.Hour)
			var address *AddressError
			if errors.As(err, &address) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) ||
				(cred == nil) != (c.want != "") {
				t.Errorf("got %v, %v, want an error with %q", cred, err, c.want)
			}
			if deletions != c.deletions {
				t.Errorf("got %d deletions, want %d", deletions, c.deletions)
			}
		})
	}
}
