// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/pkg/broker/registry"
)

// asked counts how often a request asks the admission.
type asked struct{ times int }

func (a *asked) Handles(admission.Operation) bool { a.times++; return true }

func (a *asked) Validate(context.Context, admission.Attributes, admission.ObjectInterfaces) error {
	return nil
}

// Without this test, each write could wrap the admission once more: after some hundred
// thousand writes the broker would end for lack of memory.
func TestWritesDoNotGrow(t *testing.T) {
	const ns = `{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "tmp-a", "uid": "1", "resourceVersion": "1",
		"labels": {"tenama.dev/managed": "true"}, "annotations": {"tenama.dev/owner": "alice"}}}`
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, ns)
	}))
	defer api.Close()
	allow := authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
		return authorizer.DecisionAllow, "", nil
	})
	admit := &asked{}
	handler, err := routes(&registry.Registry{
		Client: kubernetes.NewForConfigOrDie(&rest.Config{Host: api.URL, QPS: -1}), Authorizer: allow,
		Log: slog.New(slog.DiscardHandler),
	}, allow, admit)
	if err != nil {
		t.Fatal(err)
	}
	// The precondition does not hold: nothing but the admission happens.
	remove := func() int {
		admit.times = 0
		r := httptest.NewRequest(http.MethodDelete, "/apis/tenama.dev/v1alpha1/temporarynamespaces/tmp-a", strings.NewReader(
			`{"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "2"}}`))
		r.Header.Set("Content-Type", "application/json")
		ctx := request.WithUser(r.Context(), &user.DefaultInfo{Name: "alice"})
		ctx = request.WithRequestInfo(ctx, &request.RequestInfo{IsResourceRequest: true, Verb: "delete", Name: "tmp-a",
			APIGroup: "tenama.dev", APIVersion: "v1alpha1", Resource: "temporarynamespaces"})
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r.WithContext(ctx))
		if w.Code != http.StatusConflict {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return admit.times
	}
	first := remove()
	for range 20 {
		remove()
	}
	if last := remove(); first == 0 || last != first {
		t.Errorf("the admission is asked %d times by the first request, %d times by a later one", first, last)
	}
}
