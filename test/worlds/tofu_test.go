// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// tofu is a working directory of OpenTofu, used by alice.
type tofu struct {
	*testing.T
	dir, config string
}

func newTofu(t *testing.T) *tofu {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "tofu.rc") // the provider from a file, not from a registry
	if err := os.WriteFile(config, []byte(fmt.Sprintf("provider_installation {\n  dev_overrides {\n    %q = %q\n  }\n}\n",
		"gavinbunney/kubectl", testenv.Bin("tools/tofu-providers"))), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &tofu{t, dir, config}
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "examples", "terraform", "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("main.tf", string(b))
	return w
}

// providerVersion returns the version of the provider's module.
func providerVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "version", "-m", filepath.Join(testenv.Bin("tools/tofu-providers"),
		"terraform-provider-kubectl")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && strings.HasSuffix(f[1], "/terraform-provider-kubectl") && f[0] != "path" {
			return f[2]
		}
	}
	return "of unknown version"
}

func (w *tofu) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

// run runs OpenTofu, which must end with the given exit code.
func (w *tofu) run(code int, args ...string) string {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), testenv.Bin("tools/tofu"), args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "KUBE_CONFIG_PATH="+shared.Kubeconfig("alice"), "TF_CLI_CONFIG_FILE="+w.config,
		"HOME="+w.dir, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		"TF_CLI_ARGS=-no-color")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		w.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		w.Fatalf("tofu %s: exit code %d, want %d: %s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// settled fails if a plan has changes.
func (w *tofu) settled(when string) {
	w.Helper()
	w.Logf("%s: no changes", when)
	w.run(0, "plan", "-detailed-exitcode")
}

// Who declares a temporary namespace for OpenTofu or Terraform must get it, see no difference
// afterwards, also after an extension by hand, and get rid of it by destroy.
func TestOpenTofu(t *testing.T) {
	w := newTofu(t)
	fmt.Printf("%s with gavinbunney/kubectl %s\n", strings.SplitN(w.run(0, "version"), "\n", 2)[0], providerVersion(t))
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := shared.Kubectl("alice", args...)
		if err != nil {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
		}
		return out
	}
	w.run(2, "plan", "-detailed-exitcode")
	if out, err := shared.Kubectl("alice", "get", "tns", "tmp-shop"); err == nil {
		t.Fatalf("a plan creates the namespace: %s", out)
	}
	w.run(0, "apply", "-auto-approve")
	if got := kubectl("get", "configmap", "app", "-n", "tmp-shop", "-o", "jsonpath={.data.tier}"); got != "test" {
		t.Errorf("the ConfigMap has tier %q", got)
	}
	w.settled("after an apply")
	kubectl("tenama", "extend", "tmp-shop", "--by=1h")
	until := kubectl("get", "tns", "tmp-shop", "-o", "jsonpath={.spec.extendUntil}")
	w.settled("after an extension")
	w.run(2, "plan", "-detailed-exitcode", "-var=ttl=36000")
	w.run(0, "apply", "-auto-approve", "-var=ttl=36000")
	if got := kubectl("get", "tns", "tmp-shop", "-o", "jsonpath={.spec.ttlSeconds} {.spec.extendUntil}"); got !=
		"36000 "+until {
		t.Errorf("after a change of ttl: %s, want the extension until %s to stay", got, until)
	}
	if out := w.run(1, "apply", "-auto-approve", "-var=ttl=60"); !strings.Contains(out, "spec.ttlSeconds") {
		t.Errorf("a shorter ttl must be refused with the field: %s", out)
	}

	// It has expired. With it, alice has lost the right to look for what was in it.
	kubectl("delete", "tns", "tmp-shop")
	if out := w.run(1, "apply", "-auto-approve"); !strings.Contains(out, "is forbidden") {
		t.Errorf("an apply after the expiry: %s", out)
	}
	w.run(0, "apply", "-auto-approve", "-target=kubectl_manifest.shop")
	w.run(0, "apply", "-auto-approve")
	kubectl("get", "configmap", "app", "-n", "tmp-shop")
	w.settled("after an expiry and two applies")

	kubectl("delete", "tns", "tmp-shop")
	w.run(0, "state", "rm", "kubectl_manifest.app")
	w.run(0, "destroy", "-auto-approve")
	w.run(0, "apply", "-auto-approve")
	w.run(0, "destroy", "-auto-approve")
	if err := testenv.Eventually(time.Minute, func() error {
		if out, err := shared.Kubectl("admin", "get", "namespace", "tmp-shop"); err == nil {
			return fmt.Errorf("after destroy: %s", out)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// A plain Namespace with a reserved name, by an account that may create namespaces.
	kubectlAdmin := func(args ...string) {
		t.Helper()
		if out, err := shared.Kubectl("admin", args...); err != nil {
			t.Fatal(out)
		}
	}
	t.Cleanup(func() { // others use the cluster, too
		_, _ = shared.Kubectl("admin", "delete", "clusterrole,clusterrolebinding", "tofu")
	})
	kubectlAdmin("create", "clusterrole", "tofu", "--verb=get,list,watch,create,patch,update", "--resource=namespaces")
	kubectlAdmin("create", "clusterrolebinding", "tofu", "--clusterrole=tofu", "--user=alice")
	w.write("main.tf", `
terraform {
  required_providers {
    kubectl = { source = "gavinbunney/kubectl" }
  }
}
resource "kubectl_manifest" "plain" {
  yaml_body = yamlencode({ apiVersion = "v1", kind = "Namespace", metadata = { name = "tmp-plain" } })
}
`)
	if out := w.run(1, "apply", "-auto-approve"); !strings.Contains(out, "tenama-namespaces") &&
		!strings.Contains(out, "kubectl tenama create") {
		t.Errorf("a reserved name must be refused with the way that works: %s", out)
	}
}
