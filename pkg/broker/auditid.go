// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"net/http"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
)

// auditIDs sends the Audit-ID of the request on whose behalf the broker calls kube-apiserver
// along with the call, so that one search in the audit log of kube-apiserver finds what a
// user asked for and what the broker did. A client can choose the ID, as long as it likes, and
// each request of a user becomes a dozen of the broker, so only its beginning is sent.
type auditIDs struct{ next http.RoundTripper }

func withAuditID(next http.RoundTripper) http.RoundTripper { return auditIDs{next} }

// RoundTrip implements http.RoundTripper.
func (a auditIDs) RoundTrip(r *http.Request) (*http.Response, error) {
	if id := audit.GetAuditIDTruncated(r.Context()); id != "" {
		r = r.Clone(r.Context())
		r.Header.Set(auditinternal.HeaderAuditID, id)
	}
	return a.next.RoundTrip(r)
}

// WrappedRoundTripper returns the transport behind it.
func (a auditIDs) WrappedRoundTripper() http.RoundTripper { return a.next }
