// SPDX-License-Identifier: Apache-2.0

// Package denial reads from an error which ValidatingAdmissionPolicy denied a request.
// kube-apiserver states it in the message alone: its status has no field for it
// (k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go).
package denial

import (
	"regexp"
	"strings"
)

var format = regexp.MustCompile(
	`(?s)ValidatingAdmissionPolicy '([^']*)'(?: with binding '[^']*')? denied request: (.*)`)

// staticSuffix ends the names of policies that kube-apiserver reads from files.
const staticSuffix = ".static.k8s.io"

// Parse returns the name of the policy that denied a request, without the suffix of
// policies from files, and the message of the policy. text is the error, or output that
// contains it. Both results are empty if no policy denied the request.
func Parse(text string) (policy, message string) {
	m := format.FindStringSubmatch(text)
	if m == nil {
		return "", ""
	}
	return strings.TrimSuffix(m[1], staticSuffix), m[2]
}

// By returns the name of the policy that denied a request with err, as Parse does.
func By(err error) string {
	if err == nil {
		return ""
	}
	policy, _ := Parse(err.Error())
	return policy
}
