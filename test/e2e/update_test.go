// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// A first installation must bound every user. From then on the class and the budget are
// the administrator's: an update must neither overwrite them nor create them again.
func TestFirstClassAndBudget(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := c.Kubectl("admin", args...)
		if err != nil {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
		}
		return out
	}
	classes, install := filepath.Join(c.Deploy, "classes"), filepath.Join(c.Deploy, "overlays", "local")
	kubectl("delete", "namespaceclass", "default")
	kubectl("create", "-k", classes)
	start(t, c, port, "broker-0")
	if err := testenv.Eventually(time.Minute, func() error {
		out, err := c.Kubectl("admin", "get", "namespacebudget", "default", "-o", "jsonpath={.status.conditions[0].reason}")
		if err != nil || out != "InForce" {
			return errOf(out)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	alice := as(t, c.Config("alice"))
	for i := range 6 {
		_, err := alice.Create(ctx, tns(unique("bound"), time.Hour), metav1.CreateOptions{})
		if budget, _ := client.IsOverBudget(err); (i < 5) != (err == nil) || i == 5 && budget != "default" {
			t.Errorf("namespace %d: %v", i+1, err)
		}
	}

	kubectl("patch", "namespaceclass", "default", "--type=merge", "-p",
		`{"spec":{"lifetime":{"defaultTTLSeconds":60}}}`)
	kubectl("patch", "namespacebudget", "default", "--type=merge", "-p",
		`{"spec":{"perUser":{"count/temporarynamespaces":"7"}}}`)
	kubectl("apply", "--server-side", "--force-conflicts", "-k", install)
	if out, err := c.Kubectl("admin", "create", "-k", classes); err == nil || !strings.Contains(out, "already exists") {
		t.Errorf("a second installation: %v, %s", err, out)
	}
	ttl := kubectl("get", "namespaceclass", "default", "-o", "jsonpath={.spec.lifetime.defaultTTLSeconds}")
	most := kubectl("get", "namespacebudget", "default", "-o", `jsonpath={.spec.perUser.count/temporarynamespaces}`)
	if ttl != "60" || most != "7" {
		t.Errorf("an update set the TTL to %s and the limit to %s, want 60 and 7", ttl, most)
	}
	kubectl("delete", "namespacebudget", "default")
	kubectl("apply", "--server-side", "--force-conflicts", "-k", install)
	if out := kubectl("get", "namespacebudgets", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("an update created %s", out)
	}
}
