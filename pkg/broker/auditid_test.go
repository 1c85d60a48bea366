// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/audit"
)

type sender func(*http.Request)

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) {
	s(r)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// A client chooses its Audit-ID. One of a megabyte must not be sent with each of the dozen calls
// that a creation makes, and a call without a request behind it must have none.
func TestAuditID(t *testing.T) {
	for name, c := range map[string]struct{ id, want string }{
		"of a request":      {"ef9a6c1e-5f0e-4c8e-9f3e-6f3c1b8f5d11", "ef9a6c1e-5f0e-4c8e-9f3e-6f3c1b8f5d11"},
		"a very long one":   {strings.Repeat("a", 1<<20), strings.Repeat("a", 64)},
		"without a request": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if c.id != "" {
				ctx = audit.WithAuditContext(ctx)
				audit.WithAuditID(ctx, types.UID(c.id))
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://cluster", nil)
			if err != nil {
				t.Fatal(err)
			}
			var sent http.Header
			if _, err := withAuditID(sender(func(r *http.Request) { sent = r.Header })).RoundTrip(r); err != nil {
				t.Fatal(err)
			}
			if got := sent.Get("Audit-ID"); got != c.want {
				t.Errorf("sent %d characters, %.80q; want %q", len(got), got, c.want)
			}
			if len(r.Header) > 0 {
				t.Errorf("the request of the caller was changed: %v", r.Header)
			}
		})
	}
}
