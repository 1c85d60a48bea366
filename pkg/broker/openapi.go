// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"crypto/sha256"
	_ "embed" // the documents
	"encoding/json"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"tenama.dev/tenama/api/v1alpha1"
)

// The documents are equal to those that kube-apiserver would publish for a custom
// resource of the same Go type; `make generate` writes them.
var (
	//go:embed openapi/v2.json
	openAPIV2 []byte
	//go:embed openapi/v3.json
	openAPIV3 []byte
)

const (
	pathOpenAPIV2 = "/openapi/v2"
	pathOpenAPIV3 = "/openapi/v3"
)

var pathOpenAPIGroup = pathOpenAPIV3 + "/apis/" + v1alpha1.GroupVersion.String()

// static serves bytes that never change.
func static(contentType string, body []byte) http.Handler {
	etag := fmt.Sprintf("%q", fmt.Sprintf("%X", sha256.Sum256(body)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body) // an error means that the client has disconnected
	})
}

// openAPIIndex returns the document at /openapi/v3, which lists the other documents.
func openAPIIndex() []byte {
	hash := fmt.Sprintf("%X", sha256.Sum256(openAPIV3))
	return fmt.Appendf(nil, `{"paths":{"apis/%s":{"serverRelativeURL":"%s?hash=%s"}}}`+"\n", v1alpha1.GroupVersion,
		pathOpenAPIGroup, hash)
}

// typeConverter returns a converter for server-side apply with the published schema.
func typeConverter() (managedfields.TypeConverter, error) {
	var doc spec3.OpenAPI
	if err := json.Unmarshal(openAPIV3, &doc); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	schemas := map[string]*spec.Schema{}
	for name, s := range doc.Components.Schemas {
		schemas[name] = s
	}
	return managedfields.NewTypeConverter(schemas, false)
}
