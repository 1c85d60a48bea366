// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/testenv"
)

// If kube-apiserver reads the policies from files, no user of the API may be able to
// lift the containment: deleting all policies must change nothing.
func TestStaticPolicies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policies, err := shared.Kubectl("admin", "kustomize", filepath.Join(testenv.Root(), "deploy", "overlays", "static"))
	if err != nil {
		t.Fatal(policies)
	}
	config, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "overlays", "static", "admission.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"policies/policies.yaml": policies,
		"admission.yaml": strings.Replace(string(config), "/etc/kubernetes/tenama", filepath.Join(dir, "policies"),
			1),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := testenv.StartCluster(t.Context(), filepath.Join(dir, "c"),
		"--admission-control-config-file="+filepath.Join(dir, "admission.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	port, err := c.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"validatingadmissionpolicybindings", "--all"}, {"validatingadmissionpolicies", "--all"},
	} {
		if out, err := c.Kubectl("admin", append([]string{"delete"}, args...)...); err != nil {
			t.Fatal(out)
		}
	}
	if out, err := c.Kubectl("admin", "delete", "validatingadmissionpolicy",
		attack.Containment+".static.k8s.io"); err == nil || !strings.Contains(out, "NotFound") {
		t.Errorf("a policy from a file was deleted through the API: %s", out)
	}
	start(t, c, port, "broker-0", "--inspect-interval=1h") // it verifies its containment with them
	stage := newStage(t, c)
	for _, r := range attack.Rows() {
		if strings.HasPrefix(r.What, "remove its own policy") {
			continue // the API contains none to try it on
		}
		if stop, detail := stage.Try(t.Context(), r); stop != r.Stop {
			t.Errorf("%s: %s: stopped by %s, want %s: %s", r.Role, r.What, stop, r.Stop, detail)
		}
	}
}

// RBAC must restrict the requests that the narrow policies do not check: a stolen
// broker token must not allow more than with the default policies, and other roles
// neither.
func TestNarrowPolicies(t *testing.T) {
	t.Parallel()
	c, port := own(t)
	overlay := filepath.Join(t.TempDir(), "overlay")
	if err := os.CopyFS(filepath.Join(filepath.Dir(overlay), "deploy"), os.DirFS(c.Deploy)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(overlay, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"),
		[]byte("resources: [../deploy/overlays/local]\ncomponents: [../deploy/components/narrow]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Kubectl("admin", "apply", "--server-side", "--force-conflicts", "-k", overlay); err != nil {
		t.Fatal(out)
	}
	start(t, c, port, "broker-0", "--inspect-interval=1h")
	stage := newStage(t, c)
	for _, r := range attack.Rows() {
		if r.Role == attack.BrokerAsAdmin {
			continue // narrow policies do not restrict further rights
		}
		if stop, detail := stage.Try(t.Context(), r); stop != r.Stop {
			t.Errorf("%s: %s: stopped by %s, want %s: %s", r.Role, r.What, stop, r.Stop, detail)
		}
	}
}
