// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/testenv"
)

// free returns an unused port of this machine.
func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// probe requests a path from a port of the broker; it returns the status and the body.
func probe(t *testing.T, port int, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Without its policies the broker must change nothing, report the problem, continue to
// answer reads, and recover without a restart.
func TestUncontained(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	health, metrics := free(t), free(t)
	// No namespace exists yet: at start, the broker can verify only its own policy.
	b := start(t, c, port, "broker-0", "--containment-interval=300ms",
		fmt.Sprintf("--health-address=127.0.0.1:%d", health), fmt.Sprintf("--metrics-address=127.0.0.1:%d", metrics))
	alice, k := as(t, c.Config("alice")), kubernetesFor(t, c.Config("admin"))
	kept, err := alice.Create(ctx, tns("tmp-kept", time.Hour), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expires, err := alice.Create(ctx, tns("tmp-expires", 30*time.Second), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(want ...string) error {
		_, err := alice.Create(ctx, tns("tmp-refused", time.Hour), metav1.CreateOptions{DryRun: []string{"All"}})
		if !apierrors.IsServiceUnavailable(err) {
			return fmt.Errorf("create: got %v, want ServiceUnavailable", err)
		}
		for _, w := range append(want, "not contained") {
			if !strings.Contains(err.Error(), w) {
				return fmt.Errorf("create: %q does not name %q", err, w)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			return fmt.Errorf("create: more than one line: %q", err)
		}
		return nil
	}
	accepted := func() error {
		_, err := alice.Create(ctx, tns("tmp-accepted", time.Hour), metav1.CreateOptions{DryRun: []string{"All"}})
		return err
	}
	apply := func(manifest string) {
		t.Helper()
		if out, err := c.KubectlIn("admin", manifest, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
			t.Fatal(out)
		}
	}
	bindingOf := func(policy string) string {
		return fmt.Sprintf("apiVersion: admissionregistration.k8s.io/v1\nkind: "+
			"ValidatingAdmissionPolicyBinding\nmetadata: {name: %s}\nspec: {policyName: %s, validationActions: [Deny, Audit]}\n",
			policy, policy)
	}
	pristine, err := c.Kubectl("admin", "kustomize", filepath.Join(testenv.Root(), "deploy", "base", "policies"))
	if err != nil {
		t.Fatal(pristine)
	}
	edit := func(name string, f func(string) string) func() {
		return func() {
			p := getPolicy(t, k, name)
			for i := range p.Spec.Validations {
				p.Spec.Validations[i].Expression = f(p.Spec.Validations[i].Expression)
				p.Spec.Validations[i].MessageExpression = f(p.Spec.Validations[i].MessageExpression)
			}
			for i := range p.Spec.Variables {
				p.Spec.Variables[i].Expression = f(p.Spec.Variables[i].Expression)
			}
			for i := range p.Spec.MatchConditions {
				p.Spec.MatchConditions[i].Expression = f(p.Spec.MatchConditions[i].Expression)
			}
			putPolicy(t, k, p)
		}
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	remove := func(args ...string) func() {
		return func() {
			if out, err := c.Kubectl("admin", append([]string{"delete"}, args...)...); err != nil {
				t.Fatal(out)
			}
		}
	}
	for _, broken := range []struct {
		name    string
		do      func()
		restore string
		want    []string
	}{
		{
			"the policy is deleted", remove("validatingadmissionpolicy", attack.Containment), pristine,
			[]string{"create a namespace outside of its prefix", `"tenama-broker" is missing, not bound, or edited`},
		},
		{
			"half-installed: the binding is missing", remove("validatingadmissionpolicybinding", attack.Containment),
			bindingOf(attack.Containment), []string{`"tenama-broker" is missing, not bound`},
		},
		{
			"half-installed: what protects namespaces is missing", remove("validatingadmissionpolicybinding", attack.Keys),
			bindingOf(attack.Keys), []string{`"tenama-namespaces" is missing, not bound`},
		},
		{
			"half-installed: what holds tenants is missing", remove("validatingadmissionpolicybinding", attack.GuardRails),
			bindingOf(attack.GuardRails), []string{`"tenama-guardrails" is missing, not bound`},
		},
		{"it only warns", func() {
			apply(strings.Replace(bindingOf(attack.Containment), "[Deny, Audit]", "[Warn]", 1))
		}, bindingOf(attack.Containment), []string{`"tenama-broker" is missing, not bound, or edited`}},
		{
			"it is of another release", edit(attack.Containment, replace("policy set 5", "policy set 0")), pristine,
			[]string{"is not of policy set 5", "policy set 0"},
		},
		{
			"it is edited: deletion is free", edit(attack.Containment, replace(`request.operation != "DELETE" ||`, `true ||`)),
			pristine, []string{"delete the namespace that it runs in"},
		},
		{
			"it is edited: binding is free", edit(attack.Containment, replace("|| variables.inManaged", "|| true")), pristine,
			[]string{"give itself access to the namespace that it runs in"},
		},
		{
			"it has the prefix of another installation", edit(attack.Containment, replace("'tmp-'", "'lend-'")), pristine,
			[]string{"must have the same release and prefixes"},
		},
		{
			"it holds the broker of another installation",
			edit(attack.Containment, replace("tenama-system:tenama-broker", "lending:lender")), pristine,
			[]string{"create a namespace outside of its prefix"},
		},
		{"the broker may do everything", func() {
			if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "generous", "--clusterrole=cluster-admin",
				"--serviceaccount=tenama-system:tenama-broker"); err != nil {
				t.Fatal(out)
			}
		}, "", []string{"it has the right to delete validatingadmissionpolicybindings", "bound to more than ClusterRole"}},
	} {
		t.Run(broken.name, func(t *testing.T) {
			if err := testenv.Eventually(60*time.Second, accepted); err != nil {
				t.Fatalf("before: %v", err)
			}
			broken.do()
			if err := testenv.Eventually(60*time.Second, func() error { return refused(broken.want...) }); err != nil {
				t.Error(err)
			}
			// Reads still work. The API stays available, too: otherwise no namespace
			// could be deleted.
			if _, err := alice.Get(ctx, kept.Name); err != nil {
				t.Errorf("get: %v", err)
			}
			if status, body := probe(t, health, "/readyz"); status != http.StatusOK || !strings.Contains(body, "read-only") {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if status, body := probe(t, health, "/readyz/contained"); status != http.StatusServiceUnavailable || body == "" {
				t.Errorf("/readyz/contained: %d %s", status, body)
			}
			if _, body := probe(t, metrics, "/metrics"); !strings.Contains(body, "\ntenama_contained 0\n") {
				t.Error("/metrics does not contain tenama_contained 0")
			}
			if broken.name == "the policy is deleted" { // namespaces that expire meanwhile stay
				time.Sleep(time.Until(expires.Status.ExpirationTimestamp.Add(3 * time.Second)))
				if now, err := alice.Get(ctx, expires.Name); err != nil || now.DeletionTimestamp != nil {
					t.Errorf("an uncontained broker deleted an expired namespace: %v", err)
				}
			}
			for what, try := range map[string]func() error{
				"extend": func() error {
					twice := func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(2 * time.Hour) }
					_, _, err := alice.Extend(ctx, kept.Name, twice, "", metav1.PatchOptions{})
					return err
				},
				"delete": func() error { _, err := alice.Delete(ctx, kept.Name, metav1.DeleteOptions{}); return err },
			} {
				if err := try(); !apierrors.IsServiceUnavailable(err) {
					t.Errorf("%s: got %v, want ServiceUnavailable", what, err)
				}
			}
			if broken.restore == "" {
				remove("clusterrolebinding", "generous")()
			} else {
				apply(broken.restore)
			}
			if err := testenv.Eventually(60*time.Second, accepted); err != nil {
				t.Errorf("the broker did not recover: %v", err)
			}
		})
	}
	if status, body := probe(t, health, "/readyz/contained"); status != http.StatusOK {
		t.Errorf("/readyz/contained: %d %s", status, body)
	}
	if _, body := probe(t, metrics, "/metrics"); !strings.Contains(body, "\ntenama_contained 1\n") ||
		!strings.Contains(body, `tenama_containment_proofs_total{result="broken"}`) {
		t.Error("/metrics does not contain tenama_contained 1")
	}
	// Every pod may reach the health port.
	if status, _ := probe(t, health, "/metrics"); status != http.StatusNotFound {
		t.Errorf("the health port serves /metrics: %d", status)
	}
	if err := alice.WaitGone(ctx, expires.Name, expires.UID); err != nil {
		t.Errorf("a namespace that expired meanwhile is not deleted after the recovery: %v", err)
	}
	if err := logged(b, `"msg":"Containment is not proven"`, 5); err != nil {
		t.Error(err)
	}
}

// --allow-uncontained must be set explicitly, and must be reported to all users.
func TestAllowUncontained(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	if out, err := c.Kubectl("admin", "delete", "validatingadmissionpolicybinding", attack.Containment); err != nil {
		t.Fatal(out)
	}
	b := start(t, c, port, "broker-0", "--containment-interval=1s", "--allow-uncontained")
	const manifest = "apiVersion: tenama.dev/v1alpha1\nkind: TemporaryNamespace\nmetadata: {name: tmp-risky}\n"
	const want = "Warning: the broker is not contained, and runs with --allow-uncontained: " +
		"it could create a namespace outside of its prefix"
	// kube-apiserver takes a moment to notice that the binding is gone.
	if err := testenv.Eventually(60*time.Second, func() error {
		out, err := c.KubectlIn("alice", manifest, "apply", "-f", "-")
		if err != nil || !strings.Contains(out, want) {
			return fmt.Errorf("apply: %v: %s", err, out)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := logged(b, `"msg":"DANGEROUS: --allow-uncontained`, 1); err != nil {
		t.Error(err)
	}
}

// kube-apiserver must agree with the ledger (TestLedgerOfRights in test/arch): the
// broker must have no right that would let it escape its policies.
func TestRightsOfTheBroker(t *testing.T) {
	out, err := shared.Kubectl("admin", "auth", "can-i", "--list",
		"--as=system:serviceaccount:tenama-system:tenama-broker", "-n", "kube-system", "--no-headers")
	if err != nil {
		t.Fatal(out)
	}
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		f := strings.Fields(l)
		for _, bad := range []string{
			"*", "secrets", "pods", "pods/exec", "serviceaccounts/token", "users", "groups", "nodes",
			"clusterrolebindings.rbac.authorization.k8s.io", "validatingadmissionpolicies.admissionregistration.k8s.io",
			"validatingadmissionpolicybindings.admissionregistration.k8s.io",
		} {
			if f[0] == bad || strings.HasPrefix(f[0], "*.") {
				t.Errorf("the broker may %s", l)
			}
		}
		if strings.Contains(l, "escalate") || strings.Contains(l, "impersonate") {
			t.Errorf("the broker may %s", l)
		}
	}
}
