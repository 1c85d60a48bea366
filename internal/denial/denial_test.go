// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Without this test, a broker that a policy denies could retry forever, or believe that
// the policies contain it although another policy denied its probe.
func TestParse(t *testing.T) {
	// The two formats of dispatcher.go, and the status that kube-apiserver puts around
	// them.
	bound := func(policy, message string) string {
		return fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s", policy, "b", message)
	}
	unbound := func(policy, message string) string {
		return fmt.Sprintf("ValidatingAdmissionPolicy '%s' denied request: %s", policy, message)
	}
	forbidden := func(text string) string {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "tmp-a", errors.New(text)).Error()
	}
	for name, c := range map[string]struct{ text, policy, message string }{
		"with a binding":     {forbidden(bound("tenama-broker", "no: 'x'")), "tenama-broker", "no: 'x'"},
		"without a binding":  {forbidden(unbound("tenama-broker", "no")), "tenama-broker", "no"},
		"from a file":        {forbidden(bound("tenama-broker.static.k8s.io", "no")), "tenama-broker", "no"},
		"of a similar name":  {forbidden(bound("tenama-broker2", "no")), "tenama-broker2", "no"},
		"printed by kubectl": {"Error from server (Forbidden): " + forbidden(bound("p", "no")), "p", "no"},
		"of several lines":   {bound("p", "no\nreally"), "p", "no\nreally"},
		"an expression failed": {bound("p", "expression 'x' resulted in error: no such key: 'y'"), "p",
			"expression 'x' resulted in error: no such key: 'y'"},
		"denied by a webhook":   {forbidden(`admission webhook "x.test" denied the request: no`), "", ""},
		"denied by RBAC":        {forbidden(`User "a" cannot create resource "namespaces"`), "", ""},
		"a policy is not found": {`validatingadmissionpolicies "p" not found`, "", ""},
		"empty":                 {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if policy, message := Parse(c.text); policy != c.policy || message != c.message {
				t.Errorf("got %q, %q, want %q, %q", policy, message, c.policy, c.message)
			}
			if c.text != "" && By(errors.New(c.text)) != c.policy {
				t.Errorf("By returns %q, want %q", By(errors.New(c.text)), c.policy)
			}
		})
	}
	if By(nil) != "" {
		t.Error("a policy denied nothing")
	}
}
