// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// The example tiers for customers must give namespaces the limits and metadata they
// claim.
func TestExampleTiers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	start(t, c, port, "broker-0", widened(t, c)...)
	if out, err := c.Kubectl("admin", "apply", "-k", filepath.Join(testenv.Root(), "examples", "tiers")); err != nil {
		t.Fatal(out)
	}
	for _, class := range []string{"freemium", "pro", "enterprise"} {
		if out, err := c.Kubectl("admin", "wait", "--for=condition=Ready", "--timeout=90s",
			"namespaceclass/"+class); err != nil {
			t.Fatal(out)
		}
	}
	kube := c.Client("admin")
	plugin := func(args ...string) string {
		t.Helper()
		out, err := c.Kubectl("alice", append([]string{"tenama"}, args...)...)
		if err != nil {
			t.Fatalf("kubectl tenama %v: %s", args, out)
		}
		return out
	}
	plugin("create", "acme", "--class", "freemium", "--set", "region=us", "--switch-context=false")
	plugin("create", "cust-globex", "--class", "enterprise", "--switch-context=false")
	ns := namespace(t, kube, "cust-acme")
	for k, want := range map[string]string{
		"example.com/tier": "freemium", "example.com/region": "us", "example.com/cost-center": "customers-freemium",
		"pod-security.kubernetes.io/enforce": "restricted",
	} {
		if ns.Labels[k] != want {
			t.Errorf("label %s is %q, want %q", k, ns.Labels[k], want)
		}
	}
	if ns.Annotations["example.com/made-for"] != "alice" {
		t.Errorf("annotations: %v", ns.Annotations)
	}
	if out, err := c.Kubectl("alice", "annotate", "tns", "cust-acme", "user.tenama.dev/contract=C-1234"); err != nil {
		t.Fatal(out)
	}
	if got := namespace(t, kube, "cust-acme").Annotations["user.tenama.dev/contract"]; got != "C-1234" {
		t.Errorf("the contract was not copied to the Namespace: %q", got)
	}
	plugin("extend", "acme", "--ttl", "2w")
	if out := plugin("list"); !strings.Contains(out, "cust-globex") || !strings.Contains(out, "never") {
		t.Errorf("list: %s", out)
	}
	q, err := kube.CoreV1().ResourceQuotas("cust-globex").Get(ctx, "tier", metav1.GetOptions{})
	if err != nil || q.Spec.Hard.Name("requests.cpu", "").String() != "32" {
		t.Errorf("the quota of cust-globex: %v, %v", q, err)
	}
	// Only the prefix of the class is allowed.
	if out, err := c.KubectlIn("alice",
		"{apiVersion: tenama.dev/v1alpha1, kind: TemporaryNamespace, metadata: {name: tmp-acme}, spec: {className: pro}}",
		"create", "-f", "-"); err == nil || !strings.Contains(out, `must begin with "cust-": try "cust-tmp-acme"`) {
		t.Errorf("another prefix: %s", out)
	}
	// Common mistakes.
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "examples", "tiers", "pro.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for was, want := range map[string]string{
		"cores: ": "use requests.cpu", "namespaces: ": "use a NamespaceBudget with count/temporarynamespaces",
	} {
		bad := strings.Replace(string(b), "{requests.cpu: ", "{"+was, 1)
		if out, err := c.KubectlIn("admin", bad, "apply", "-f", "-"); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %s, want a rejection with %q", was, out, want)
		}
	}
}
