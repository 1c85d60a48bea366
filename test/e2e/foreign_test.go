// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// Policies of the cluster's administrators must not make the broker believe that it is
// not contained: it must continue as long as its own policies are in force.
func TestForeignPolicies(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	const policies = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: namespaces-need-a-cost-center}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: ["*"], operations: [CREATE], resources: [namespaces]}]
  validations:
  - expression: "'cost-center' in object.metadata.?labels.orValue({})"
    message: you cannot create a namespace without a cost center
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: namespaces-need-a-cost-center}
spec: {policyName: namespaces-need-a-cost-center, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: tenama-broker-of-ours}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [rbac.authorization.k8s.io], apiVersions: ["*"], operations: [CREATE], resources: [rolebindings]}
  validations: [{expression: "!object.metadata.name.contains('probe')", message: no probes, reason: Forbidden}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: tenama-broker-of-ours}
spec: {policyName: tenama-broker-of-ours, validationActions: [Deny]}
`
	if out, err := c.KubectlIn("admin", policies, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "patch", "namespaceclass", "default", "--type=merge", "-p",
		`{"spec":{"namespaceLabels":{"cost-center":"lab"}}}`); err != nil {
		t.Fatal(out)
	}
	health := free(t)
	b := start(t, c, port, "broker-0", "--containment-interval=300ms",
		fmt.Sprintf("--health-address=127.0.0.1:%d", health))
	alice := as(t, c.Config("alice"))
	if _, err := alice.Create(ctx, tns("tmp-among-others", time.Hour), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 20 { // many proofs, and several times three intervals
		if status, body := probe(t, health, "/readyz/contained"); status != http.StatusOK {
			t.Fatalf("/readyz/contained: %d %s", status, body)
		}
		time.Sleep(150 * time.Millisecond)
	}
	out, err := b.Output()
	if err != nil || strings.Contains(out, "Containment is not proven") {
		t.Errorf("%v: %s", err, out)
	}
}

// Another component, for example a policy engine, may create an object with the name of
// a guard rail in each new namespace before the broker does. The broker must not
// mistake it for the class's object and give access to a namespace without its guard
// rails.
func TestForeignGuardRails(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port, proxy, kubeconfig := proxied(t)
	start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
	alice := as(t, c.Config("alice"))
	for kind, foreign := range map[string]struct{ resource, manifest string }{
		"ResourceQuota": {
			"resourcequotas", "{apiVersion: v1, kind: ResourceQuota, metadata: {name: tenama}, spec: {hard: {pods: 1000}}}",
		},
		"LimitRange": {"limitranges", "{apiVersion: v1, kind: LimitRange, metadata: {name: tenama}, spec: {limits: []}}"},
		"NetworkPolicy": {
			"networkpolicies",
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: tenama}, spec: {podSelector: {}, " +
				"ingress: [{}]}}",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			proxy.Cut(func(r *http.Request) {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/"+foreign.resource) {
					parts := strings.Split(r.URL.Path, "/")
					_, _ = c.KubectlIn("admin", foreign.manifest, "-n", parts[len(parts)-2], "create", "-f", "-")
				}
			}, nil)
			var name string
			var err error
			for i := range 5 { // a slow machine may need longer than the deadline of one request
				name = fmt.Sprintf("tmp-occupied-%s-%d", strings.ToLower(kind), i)
				if _, err = alice.Create(ctx, tns(name, time.Hour), metav1.CreateOptions{}); !apierrors.IsServerTimeout(err) {
					break
				}
			}
			if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), kind+` "tenama" of the class already exists`) {
				t.Errorf("got %v, want it refused with what is in the way", err)
			}
			if err := testenv.Eventually(3*time.Minute, func() error {
				out, err := c.Kubectl("admin", "get", "namespace", name)
				if err == nil {
					return errOf(out)
				}
				return nil
			}); err != nil {
				t.Errorf("the namespace stayed: %v", err)
			}
		})
	}
}
