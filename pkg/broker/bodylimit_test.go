// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A small, deeply nested body must not exhaust the memory of the broker.
func TestDepthLimit(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, c := range map[string]struct {
		kind, body string
		code       int
	}{
		"an object":            {"application/json", `{"metadata":{"name":"a","labels":{"a":"b"}},"spec":{}}`, 200},
		"brackets in a string": {"application/json", `{"spec":{"reason":"` + many("[{", 500) + `"}}`, 200},
		"an escaped quote":     {"application/json", `{"spec":{"reason":"\"` + many("[", 500) + `\\"}}`, 200},
		"side by side":         {"application/json", `{"a":[` + many(`{},`, 500) + `{}]}`, 200},
		"objects in objects":   {"application/merge-patch+json", many(`{"a":`, 500) + "1" + many("}", 500), 400},
		"lists in lists":       {"application/json-patch+json", many("[", 500) + many("]", 500), 400},
		"after a string":       {"application/json", `{"a":"x\\","b":` + many("[", 500) + many("]", 500) + "}", 400},
		"unfinished":           {"application/json", many("[", 500), 400},
		"YAML":                 {"application/apply-patch+yaml", "metadata:\n  labels: {a: b}\nspec:\n- - a\n", 200},
		"YAML, flowing":        {"application/apply-patch+yaml", many("{a: ", 500) + "1" + many("}", 500), 400},
		"YAML, behind a quote": {"application/apply-patch+yaml", `a: it"s` + "\nb: " + many("[", 500) +
			many("]", 500), 400},
		"YAML, lists of lists":    {"application/yaml", many("- ", 500) + "a", 400},
		"YAML, block under block": {"application/yaml", "a:\n" + many(" ", 500) + "b: 1\n", 400},
		// the handlers answer 413
		"more than a body may be long": {"application/json", `"` + many("x", 2*maxBodyBytes) + `"`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPatch, "/apis/tenama.dev/v1alpha1/temporarynamespaces/a",
				strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			code, text := status(withDepthLimit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got, err := io.ReadAll(r.Body); err != nil || string(got) != c.body {
					t.Errorf("the handler gets %d bytes of %d: %v", len(got), len(c.body), err)
				}
			})), r)
			if code != c.code {
				t.Errorf("got %d %s, want %d", code, text, c.code)
			}
		})
	}
}
