// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// answers is a server: it returns the object, or the error, for a request.
type answers func(r *http.Request) any

// RoundTrip implements http.RoundTripper without a network, so that tests can use fake time.
func (f answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, code := f(r), http.StatusOK
	if api, ok := body.(apierrors.APIStatus); ok {
		s := api.Status()
		s.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		body, code = &s, int(s.Code)
	}
	b, err := json.Marshal(body)
	return &http.Response{
		StatusCode: code, Request: r, Body: io.NopCloser(bytes.NewReader(b)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, err
}

func fakeClient(t *testing.T, f answers) *client.Client {
	t.Helper()
	c, err := client.New(&rest.Config{Host: "http://cluster.test", Transport: f})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func notFound(name string) *apierrors.StatusError {
	return apierrors.NewNotFound(v1alpha1.Resource.GroupResource(), name)
}

// temporary returns a namespace of the API with the given spec and status.
func temporary(
	name string, spec v1alpha1.TemporaryNamespaceSpec, status v1alpha1.TemporaryNamespaceStatus,
) *v1alpha1.TemporaryNamespace {
	version, kind := v1alpha1.Kind.ToAPIVersionAndKind()
	return &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: version, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: "1"},
		Spec:       spec,
		Status:     status,
	}
}
