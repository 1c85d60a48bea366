// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// While a replica of the broker ends, kube-apiserver answers some requests with 503. A pipeline
// must not fail for that, nor get an extension twice; an API that stays unavailable must be told
// after a few attempts.
func TestInterrupted(t *testing.T) {
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	stored := &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "tenama.dev/v1alpha1", Kind: "TemporaryNamespace"},
		ObjectMeta: metav1.ObjectMeta{Name: "tmp-a", ResourceVersion: "1", CreationTimestamp: now},
	}
	for name, c := range map[string]struct {
		answers string // of the requests in turn: u unavailable, l applied and then lost, s a Status; then all succeed
		code    int    // of the error
		want    string // the requests
	}{
		"not":                  {"", 0, "GET PATCH"},
		"the first read":       {"u", 0, "GET GET PATCH"},
		"twice":                {"uu", 0, "GET GET GET PATCH"},
		"the change":           {"-u", 0, "GET PATCH PATCH"},
		"after the change":     {"-l", 0, "GET PATCH PATCH GET GET"},
		"for good":             {"uuuuuuuuuu", 503, "GET GET GET GET GET"},
		"a broker that starts": {"s", 503, "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := stored.DeepCopy()
			var requests []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests = append(requests, r.Method)
				answer := byte('-')
				if len(requests) <= len(c.answers) {
					answer = c.answers[len(requests)-1]
				}
				if answer == 's' {
					refuse(w, apierrors.NewServiceUnavailable("the broker is starting"))
					return
				}
				if r.Method == http.MethodPatch && answer != 'u' {
					var patch v1alpha1.TemporaryNamespace
					json.NewDecoder(r.Body).Decode(&patch)
					if patch.ResourceVersion != state.ResourceVersion {
						refuse(w, apierrors.NewConflict(v1alpha1.Resource.GroupResource(), "tmp-a", nil))
						return
					}
					state.ResourceVersion, state.Spec.ExtendUntil = "2", patch.Spec.ExtendUntil
					state.Status.ExpirationTimestamp = patch.Spec.ExtendUntil
				}
				if answer != '-' {
					http.Error(w, "error trying to reach service: connection refused", http.StatusServiceUnavailable)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				json.NewEncoder(w).Encode(state)
			}))
			defer server.Close()
			cl, err := New(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			until := func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time { return now.Add(time.Hour) }
			_, after, err := cl.Extend(t.Context(), "tmp-a", until, "", metav1.PatchOptions{})
			if got := strings.Join(requests, " "); got != c.want {
				t.Errorf("the requests are %s, want %s", got, c.want)
			}
			if c.code == 0 && (err != nil || after.Status.ExpirationTimestamp == nil) {
				t.Errorf("got %v, %v", after, err)
			}
			if c.code != 0 && !apierrors.IsServiceUnavailable(err) {
				t.Errorf("got %v, want %d", err, c.code)
			}
		})
	}
}

// A deletion is repeated only if it cannot delete a new namespace of that name.
func TestInterruptedDelete(t *testing.T) {
	for name, c := range map[string]struct {
		options metav1.DeleteOptions
		want    int
	}{
		"any":    {metav1.DeleteOptions{}, 1},
		"by UID": {metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions("u")}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if requests++; requests == 1 {
					http.Error(w, "error trying to reach service: EOF", http.StatusServiceUnavailable)
					return
				}
				refuse(w, apierrors.NewNotFound(v1alpha1.Resource.GroupResource(), "tmp-a"))
			}))
			defer server.Close()
			cl, err := New(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cl.Delete(t.Context(), "tmp-a", c.options); requests != c.want || IsGone(err) != (c.want == 2) {
				t.Errorf("%d requests, want %d: %v", requests, c.want, err)
			}
		})
	}
}

// refuse responds with a Status, as the broker does.
func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	s := err.Status()
	s.APIVersion, s.Kind = "v1", "Status"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(s.Code))
	json.NewEncoder(w).Encode(s)
}
