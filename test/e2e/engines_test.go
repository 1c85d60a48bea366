// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// Helm makes a namespace with --create-namespace: its users need to learn that a borrowed one is
// there already, and an administrator's Helm must leave it as it is.
func TestHelmCreateNamespace(t *testing.T) {
	t.Parallel()
	ns := unique("helm")
	if out, err := shared.Kubectl("alice", "tenama", "create", ns, "--ttl=1h", "--switch-context=false"); err != nil {
		t.Fatal(out)
	}
	chart := filepath.Join("testdata", "chart")
	helm := func(user string, args ...string) (string, error) {
		home := t.TempDir()
		cmd := exec.Command(testenv.Bin("tools/helm"), args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig(user), "HOME="+home, "XDG_CACHE_HOME="+home,
			"XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, name := range []string{ns, unique("absent")} {
		out, err := helm("alice", "install", "app", chart, "-n", name, "--create-namespace")
		if err == nil || !strings.Contains(out, "forbidden") {
			t.Errorf("--create-namespace for %s: %v %s", name, err, out)
		}
		if name != ns {
			continue
		}
		if want := fmt.Sprintf("namespaces %q is forbidden", ns); !strings.Contains(out, want) {
			t.Errorf("the refusal is not about the namespace: %s", out)
		}
	}
	if out, err := helm("alice", "upgrade", "--install", "app", chart, "-n", ns); err != nil {
		t.Errorf("without --create-namespace: %s", out)
	}
	before := stateOf(t, ns)
	if out, err := helm("admin", "upgrade", "--install", "other", chart, "-n", ns, "--create-namespace"); err != nil {
		t.Errorf("an administrator: %s", out)
	}
	if out, err := helm("admin", "uninstall", "other", "-n", ns); err != nil {
		t.Errorf("an administrator: %s", out)
	}
	if after := stateOf(t, ns); after != before {
		t.Errorf("Helm changed the namespace from %s to %s", before, after)
	}
}

// stateOf returns the annotations of a namespace, which are all that tenama knows of it, and the
// label of pod security.
func stateOf(t *testing.T, name string) string {
	t.Helper()
	out, err := shared.Kubectl("admin", "get", "namespace", name, "-o",
		`jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce} {.metadata.annotations}`)
	if err != nil {
		t.Fatal(out)
	}
	return out
}

// Terraform's provider plans kubernetes_manifest by a dry run of server-side apply, applies, reads,
// compares what it configured, and waits for the object to be gone when it destroys. A difference
// in any of these steps is an error or an endless plan for its users.
func TestTerraform(t *testing.T) {
	t.Parallel()
	name := unique("terraform")
	manifest := fmt.Sprintf(`{"apiVersion": "tenama.dev/v1alpha1", "kind": "TemporaryNamespace", "metadata": {"name": %q,
		"labels": {"team": "a"}}, "spec": {"className": "default", "ttlSeconds": 3600}}`, name)
	apply := func(args ...string) map[string]any {
		t.Helper()
		out, err := shared.KubectlIn("alice", manifest, append([]string{"apply", "--server-side",
			"--field-manager=Terraform", "-o", "json", "-f", "-"}, args...)...)
		if err != nil {
			t.Fatal(out)
		}
		var o map[string]any
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			t.Fatal(err, out)
		}
		return o
	}
	configured := func(o map[string]any) string {
		meta, spec := o["metadata"].(map[string]any), o["spec"].(map[string]any)
		return fmt.Sprint(o["kind"], meta["name"], meta["labels"], spec["className"], spec["ttlSeconds"])
	}
	plan := apply("--dry-run=server")
	if out, err := shared.Kubectl("alice", "get", "tns", name); err == nil {
		t.Fatalf("the plan creates it: %s", out)
	}
	made := apply()
	if configured(plan) != configured(made) {
		t.Errorf("planned %s, got %s: an inconsistent result after apply", configured(plan), configured(made))
	}
	if out, err := shared.Kubectl("alice", "tenama", "extend", name, "--by=1h"); err != nil {
		t.Fatal(out)
	}
	// Refresh, plan and apply again: no difference, and the extension stays.
	out, err := shared.Kubectl("alice", "get", "tns", name, "-o", "json")
	if err != nil {
		t.Fatal(out)
	}
	var read map[string]any
	if err := json.Unmarshal([]byte(out), &read); err != nil {
		t.Fatal(err)
	}
	again := apply("--dry-run=server")
	if configured(again) != configured(read) || configured(read) != configured(made) {
		t.Errorf("refreshed %s, planned %s", configured(read), configured(again))
	}
	version := func(o map[string]any) any { return o["metadata"].(map[string]any)["resourceVersion"] }
	if got := apply(); version(got) != version(read) {
		t.Errorf("an apply without a difference writes: version %v, then %v", version(read), version(got))
	}
	if out, err := shared.Kubectl("alice", "delete", "tns", name, "--wait=false"); err != nil {
		t.Fatal(out)
	}
	if err := testenv.Eventually(2*time.Minute, func() error {
		if out, err := shared.Kubectl("alice", "get", "tns", name); err == nil || !strings.Contains(out, "NotFound") {
			return errOf(out)
		}
		return nil
	}); err != nil {
		t.Errorf("the provider waits for ever: %v", err)
	}
}

// Argo CD's CreateNamespace creates the namespace of an Application, and applies
// managedNamespaceMetadata to it. Its account may create namespaces; without the verb override it
// must not get one with a reserved name, which would have no end. In a borrowed one it must not
// change what tenama needs.
func TestArgoCreateNamespace(t *testing.T) {
	t.Parallel()
	const argo = "system:serviceaccount:argocd:argocd-application-controller"
	role := unique("argo")
	for _, args := range [][]string{
		{"create", "clusterrole", role, "--verb=get,list,watch,create,patch,update", "--resource=namespaces"},
		{"create", "clusterrolebinding", role, "--clusterrole=" + role, "--user=" + argo},
	} {
		if out, err := shared.Kubectl("admin", args...); err != nil {
			t.Fatal(out)
		}
	}
	apply := func(name, metadata string) (string, error) {
		manifest := fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, %s}}", name, metadata)
		return shared.KubectlIn("admin", manifest, "apply", "--server-side",
			"--field-manager=argocd-controller", "--as="+argo, "-f", "-")
	}
	if out, err := apply(unique("absent"), "labels: {team: a}"); err == nil ||
		!strings.Contains(out, "tenama-namespaces") {
		t.Errorf("a reserved name: %v %s", err, out)
	}
	ns := unique("argo")
	if out, err := shared.Kubectl("alice", "tenama", "create", ns, "--ttl=1h", "--switch-context=false"); err != nil {
		t.Fatal(out)
	}
	before, err := shared.Kubectl("admin", "get", "tns", ns, "-o", "jsonpath={.status}")
	if err != nil {
		t.Fatal(before)
	}
	if out, err := apply(ns, "labels: {pod-security.kubernetes.io/enforce: privileged}"); err == nil {
		t.Errorf("CreateNamespace changes pod security: %s", out)
	}
	if out, err := apply(ns, "annotations: {tenama.dev/ttl-seconds: '999999'}"); err == nil {
		t.Errorf("CreateNamespace changes the lifetime: %s", out)
	}
	if out, err := apply(ns, "labels: {team: a}"); err != nil {
		t.Errorf("managedNamespaceMetadata: %s", out)
	}
	if after, err := shared.Kubectl("admin", "get", "tns", ns, "-o", "jsonpath={.status}"); err != nil || after != before {
		t.Errorf("the namespace was %s and is %s", before, after)
	}
}
