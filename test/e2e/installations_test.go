// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// A cluster supports one installation. A second one, under other names, replaces the
// policies of the first. Neither broker may then claim to be contained, both must
// report the reason, and the first must recover once its policies are restored.
func TestSecondInstallation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	first := start(t, c, port, "broker-0", "--containment-interval=500ms")
	alice := as(t, c.Config("alice"))
	create := func() error {
		_, err := alice.Create(ctx, tns("tmp-mine", time.Hour), metav1.CreateOptions{DryRun: []string{"All"}})
		return err
	}
	if err := create(); err != nil {
		t.Fatal(err)
	}
	other := renamed(t, c)
	local := filepath.Join(other.Deploy, "overlays", "local")
	if out, err := c.Kubectl("admin", "apply", "--server-side", "-k", local); err != nil {
		t.Fatal(out)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		const want = `lacks the rights of ClusterRole "tenama:broker": check that deploy/ is installed completely`
		if err := create(); !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("create: got %v, want ServiceUnavailable", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		return logged(first, `lacks the rights of ClusterRole \"tenama:broker\"`, 1)
	}); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.96.0.10:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	second, err := other.LaunchBroker(ctx, l.Addr().(*net.TCPAddr).Port, "broker-1", "--prefix=lent-")
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		return logged(second,
			`belongs to another installation, with Service \"tenama-broker\" in namespace \"tenama-system\": remove `+
				`one of the two`, 1)
	}); err != nil {
		t.Error(err)
	}
	if err := second.Stop(); err != nil {
		t.Errorf("the second broker did not stop cleanly: %v", err)
	}
	if !registered(c) {
		t.Error("the second broker deleted the API of the first")
	}
	local = filepath.Join(c.Deploy, "overlays", "local")
	if out, err := c.Kubectl("admin", "apply", "--server-side", "-k", local); err != nil {
		t.Fatal(out)
	}
	if err := testenv.Eventually(60*time.Second, create); err != nil {
		t.Errorf("the first broker did not recover: %v", err)
	}
	if err := logged(first, `"msg":"Containment is proven`, 2); err != nil {
		t.Error(err)
	}
}

// If RBAC lets the broker bind a role but the policy does not list it, the setup is
// incomplete. The class and a request must report this.
func TestRoleMissingFromPolicy(t *testing.T) {
	for _, args := range [][]string{
		{"create", "clusterrole", "half", "--verb=get", "--resource=pods"},
		{"create", "clusterrole", "bind-half", "--verb=bind", "--resource=clusterroles", "--resource-name=half"},
		{
			"create", "clusterrolebinding", "bind-half", "--clusterrole=bind-half",
			"--serviceaccount=tenama-system:tenama-broker",
		},
	} {
		if out, err := shared.Kubectl("admin", args...); err != nil {
			t.Fatal(out)
		}
	}
	defer func() {
		_, _ = shared.Kubectl("admin", "delete", "clusterrole/half", "clusterrole/bind-half", "clusterrolebinding/bind-half",
			"namespaceclass/half")
	}()
	class := "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceClass\nmetadata: {name: half}\nspec: {lifetime: " +
		"{defaultTTLSeconds: 60, maximumTTLSeconds: 60}, ownerRole: half}\n"
	if out, err := shared.KubectlIn("admin", class, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	const want = `the broker may not bind ClusterRole "half": ` +
		`ValidatingAdmissionPolicy tenama-broker (deploy/base/policies/broker.yaml) does not list it`
	if err := testenv.Eventually(60*time.Second, func() error {
		out, _ := shared.Kubectl("admin", "get", "namespaceclass", "half", "-o",
			"jsonpath={.status.conditions[0].reason}: {.status.conditions[0].message}")
		if !strings.Contains(out, "RoleNotBindable: "+want) {
			return errOf(out)
		}
		return logged(shared.broker, "ClusterRole \\\"half\\\"", 1)
	}); err != nil {
		t.Error(err)
	}
	tn := tns(unique("half"), time.Minute)
	tn.Spec.ClassName = "half"
	if _, err := user(t, "alice").
		Create(t.Context(), tn, metav1.CreateOptions{}); reason(err) != metav1.StatusReasonInvalid ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("create: got %v, want Invalid with %q", err, want)
	}
}

// An installation under other names, all of them set in one file, must work without any
// configuration of the plugin.
func TestInstallationNames(t *testing.T) {
	t.Parallel()
	c, err := testenv.StartCluster(t.Context(), filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	c = renamed(t, c)
	port, err := c.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start(t, c, port, "broker-0", "--prefix=lent-")
	sh := newShell(t, c, "alice")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"create", "mr-42", "--ttl", "1h"}, "namespace/lent-mr-42 created"},
		{[]string{"create", "--ttl", "1h"}, "namespace/lent-"},
		{[]string{"extend", "mr-42"}, "namespace/lent-mr-42 extended"},
		{[]string{"use", "lent-mr-42"}, `Switched to context "tenama-lent-mr-42"`},
		{[]string{"extend"}, "namespace/lent-mr-42 extended"},
		{[]string{"delete", "mr-42", "--wait=false"}, `namespace "lent-mr-42" deleted`},
	} {
		if stdout, stderr, code := sh.run(step.args...); code != 0 || !strings.Contains(stdout, step.want) {
			t.Errorf("%v: got %d %s%s, want %q", step.args, code, stdout, stderr, step.want)
		}
	}
	// The policies match: the default prefix is free, and the new one is reserved.
	if out, err := c.Kubectl("admin", "create", "clusterrole", "makers", "--verb=create",
		"--resource=namespaces"); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "makers", "--clusterrole=makers",
		"--user=bob"); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("bob", "create", "namespace", "tmp-free"); err != nil {
		t.Errorf("tmp- is still reserved: %s", out)
	}
	if out, err := c.Kubectl("bob", "create", "namespace", "lent-taken"); err == nil ||
		!strings.Contains(out, "reserved") {
		t.Errorf("lent- is not reserved: %s", out)
	}
}

// renamed returns the cluster with a copy of deploy/ that has other names in its
// settings.yaml.
func renamed(t *testing.T, c *testenv.Cluster) *testenv.Cluster {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deploy")
	if err := os.CopyFS(dir, os.DirFS(c.Deploy)); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "components", "settings", "settings.yaml")
	b, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("prefix: tmp-", "prefix: lent-", "namespace: tenama-system", "namespace: lending",
		"serviceAccount: tenama-broker", "serviceAccount: lender").Replace(string(b))
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := c.Kubectl("admin", "kustomize", filepath.Join(dir, "overlays", "default"))
	if err != nil {
		t.Fatal(out)
	}
	for _, old := range []string{
		"tenama-system", "'tmp-", "=tmp-", ":tenama-broker", "serviceAccountName: tenama-broker",
	} {
		if strings.Contains(out, old) {
			t.Errorf("with other names in settings.yaml, deploy/overlays/default still contains %q", old)
		}
	}
	return c.With(dir, "lending", "lender")
}

// Replicas with other flags or rights judge a class differently while a change is rolled
// out, or for as long as the rollout is stuck. They must not overwrite each other's
// status without a pause: each write reaches every client that watches classes.
func TestReplicasThatDisagree(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	start(t, c, port, "broker-0")
	second, err := c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1), "--prefix=tmp-,lab-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	class := "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceClass\nmetadata: {name: lab}\nspec: {lifetime: " +
		"{defaultTTLSeconds: 60, maximumTTLSeconds: 60}, prefix: lab-}\n"
	if out, err := c.KubectlIn("admin", class, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	version := func() (v string) {
		t.Helper()
		if err := testenv.Eventually(time.Minute, func() error {
			out, err := c.Kubectl("admin", "get", "namespaceclass", "lab", "-o",
				"jsonpath={.metadata.resourceVersion} {.status.observedGeneration} {.status.reporter}")
			var judged bool
			if v, judged = strings.CutSuffix(strings.TrimSpace(out), " 1 broker-0"); err != nil || !judged {
				if v, judged = strings.CutSuffix(strings.TrimSpace(out), " 1 broker-1"); err != nil || !judged {
					return errOf(out)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if err := testenv.Eventually(time.Minute, func() error { return logged(second, `"msg":"Serving"`, 1) }); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	// Both of them judge all classes whenever one changes.
	versions := map[string]bool{}
	for i := range 40 {
		if out, err := c.Kubectl("admin", "patch", "namespaceclass", "default", "--type=merge", "-p",
			fmt.Sprintf(`{"spec":{"description":"%d"}}`, i)); err != nil {
			t.Fatal(out)
		}
		versions[version()] = true
		time.Sleep(250 * time.Millisecond)
	}
	// The replicas take turns each minute.
	if most := 2 + int(time.Since(begun)/time.Minute); len(versions)-1 > most {
		t.Errorf("the status of a class was written %d times in %s, want at most %d", len(versions)-1,
			time.Since(begun), most)
	}
}
