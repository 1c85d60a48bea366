// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"

	"tenama.dev/tenama/api/v1alpha1"
)

// maxDepth bounds the nesting of a body; a TemporaryNamespace with its managed
// fields has about ten levels. A body with thousands of levels costs the handlers
// half a minute and hundreds of megabytes, even if its fields are unknown.
const maxDepth = 64

// Each operation of a JSON patch can double the copied data (CVE-2019-1002100).
// kube-apiserver limits it in the same way, for objects that may be far larger.
func init() { jsonpatch.AccumulatedCopySizeLimit = 4 * maxBodyBytes }

// withDepthLimit rejects bodies that are nested too deep.
func withDepthLimit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1)) // the handlers reject longer bodies
		if err != nil {
			responsewriters.ErrorNegotiated(apierrors.NewBadRequest("reading the body failed: "+err.Error()), codecs,
				v1alpha1.GroupVersion, w, r)
			return
		}
		if exceedsDepth(body, strings.Contains(r.Header.Get("Content-Type"), "yaml")) {
			responsewriters.ErrorNegotiated(apierrors.NewBadRequest(fmt.Sprintf("the body is nested deeper than %d levels",
				maxDepth)), codecs, v1alpha1.GroupVersion, w, r)
			return
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
		next.ServeHTTP(w, r)
	})
}

// exceedsDepth reports whether a body has more than maxDepth levels. In JSON that is exact.
// In YAML it is only a bound: brackets in quotes count as well, and a block is at most
// as deep as the indentation of its line.
func exceedsDepth(body []byte, yaml bool) bool {
	depth, quoted, escaped := 0, false, false
	for _, c := range body {
		switch {
		case escaped:
			escaped = false
		case quoted && !yaml:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth = max(0, depth-1)
		}
	}
	if !yaml {
		return false
	}
	for line := range bytes.Lines(body) {
		if len(line)-len(bytes.TrimLeft(line, " -?\t")) > 4*maxDepth {
			return true
		}
	}
	return false
}
