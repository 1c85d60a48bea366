// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// limitedClasses is kube-apiserver's configuration on GKE: pods of system priority classes need
// a quota that names the class.
const limitedClasses = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ResourceQuota
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ResourceQuotaConfiguration
    limitedResources:
    - resource: pods
      matchScopes:
      - {scopeName: PriorityClass, operator: In, values: [system-node-critical, system-cluster-critical]}
`

// installer runs the plugin on a cluster that has no tenama yet.
type installer struct {
	*testenv.Cluster
	t *testing.T
}

// bare starts a control plane without tenama. It has no nodes.
func bare(t *testing.T) *installer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "admission.yaml")
	if err := os.WriteFile(config, []byte(limitedClasses), 0o600); err != nil {
		t.Fatal(err)
	}
	return &installer{again(t, filepath.Join(dir, "c"), "--admission-control-config-file="+config), t}
}

// run runs the plugin as a user without a terminal; it returns both outputs and the exit code.
func (i *installer) run(user string, args ...string) (string, int) {
	i.t.Helper()
	cmd := exec.Command(testenv.Bin("kubectl-tenama"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+i.Kubeconfig(user), "HOME="+i.Dir, "CI=true")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		i.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// expect runs the plugin as the administrator and compares its exit code and output.
func (i *installer) expect(code int, args []string, want ...string) string {
	i.t.Helper()
	out, got := i.run("admin", args...)
	if got != code {
		i.t.Errorf("%v: exit code %d, want %d: %s", args, got, code, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			i.t.Errorf("%v: the output does not contain %q: %s", args, w, out)
		}
	}
	return out
}

func (i *installer) kubectl(args ...string) string {
	i.t.Helper()
	out, err := i.Kubectl("admin", args...)
	if err != nil {
		i.t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
	}
	return out
}

// objects returns the objects that an installation makes outside namespaces, and its namespace.
func (i *installer) objects() string {
	i.t.Helper()
	out := i.kubectl("get", "namespaces,crd,clusterroles,clusterrolebindings,validatingadmissionpolicies,"+
		"validatingadmissionpolicybindings,flowschemas,prioritylevelconfigurations,apiservices", "-o", "name")
	out += i.kubectl("get", "roles,rolebindings", "-n", "kube-system", "-o", "name")
	var ours []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "tenama") {
			ours = append(ours, line)
		}
	}
	return strings.Join(ours, "")
}

// The way to an installation: what is wrong is said before anything is written, nothing of
// others is overwritten, and an update keeps what was chosen. The pods themselves run in
// test/node.
func TestInstaller(t *testing.T) {
	t.Parallel()
	i := bare(t)
	const image = "--image=tenama-broker:dev"
	yes := func(args ...string) []string {
		return append([]string{"install", image, "--yes", "--timeout=3s"}, args...)
	}

	t.Run("check", func(t *testing.T) {
		i.t = t
		i.expect(1, []string{"install", "--yes"}, "is not a release, and has no image", "--image NAME:TAG")
		i.expect(0, []string{"install", image, "--check"}, "you have the rights",
			"none; there would be one in namespace tenama-system")
		i.kubectl("create", "namespace", "tmp-mine")
		i.expect(0, []string{"install", image, "--check"}, "tmp-mine", "--prefix")
		i.kubectl("delete", "namespace", "tmp-mine")
		out, code := i.run("alice", "install", image, "--yes")
		if code != 4 || !strings.Contains(out, "administrator of the cluster") {
			t.Errorf("a user without rights: exit code %d: %s", code, out)
		}
		i.expect(1, []string{"install", image}, "stdin is not a terminal", "--yes")
		i.expect(1, []string{"doctor", "--containment"}, "tenama is not installed")

		// A user who may create a Deployment somewhere must not decide where the broker runs, and
		// from which registry.
		i.kubectl("create", "namespace", "theirs")
		i.kubectl("create", "deployment", "tenama-broker", "-n", "theirs", "--image=x")
		i.kubectl("label", "deployment", "tenama-broker", "-n", "theirs", "app.kubernetes.io/name=tenama",
			"app.kubernetes.io/component=broker")
		i.kubectl("annotate", "deployment", "tenama-broker", "-n", "theirs",
			`tenama.dev/install-options={"registry":"theirs.example"}`)
		i.expect(0, []string{"install", image, "--check"}, "none; there would be one in namespace tenama-system")
		// A namespace of others must get neither another pod security, nor be deleted.
		i.expect(1, []string{"install", image, "--yes", "-n", "theirs"}, `"theirs" is in use by others`,
			"pods/tenama-broker")
		i.expect(0, []string{"uninstall", "--yes", "-n", "theirs"}, "is not installed")
		i.kubectl("get", "deployment", "tenama-broker", "-n", "theirs")
		i.kubectl("delete", "namespace", "theirs")
		if out := i.objects(); out != "" {
			t.Errorf("something was installed: %s", out)
		}
	})

	t.Run("install", func(t *testing.T) {
		i.t = t
		out := i.expect(124, yes("--prefix=lent-,cust-"), "Context:", "Kubernetes v1.", "bind clusterroles",
			"Creates ", "error: timed out: ")
		if strings.Contains(out, "Created class") {
			t.Errorf("it went on without a broker: %s", out)
		}
		pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: tenama-system}\nspec:\n" +
			"  priorityClassName: system-cluster-critical\n" +
			"  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}\n" +
			"  containers:\n  - name: c\n    image: i\n" +
			"    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}\n"
		if err := testenv.Eventually(time.Minute, func() error { // the quota has to be counted first
			if out, err := i.KubectlIn("admin", pod, "create", "--dry-run=server", "-f", "-"); err != nil {
				return errOf(out)
			}
			return nil
		}); err != nil {
			t.Errorf("GKE would refuse the pods: %v", err)
		}
		elsewhere := strings.Replace(pod, "tenama-system", "default", 1)
		if out, err := i.KubectlIn("admin", elsewhere, "create", "--dry-run=server", "-f", "-"); err == nil {
			t.Errorf("this control plane does not refuse what GKE refuses: %s", out)
		}
	})

	t.Run("an update keeps what was chosen", func(t *testing.T) {
		i.t = t
		next := []string{"install", "--image=tenama-broker:next", "--yes", "--timeout=3s"}
		i.expect(124, append(next, "--replicas=3"), "Changes ")
		args := i.kubectl("get", "deployment", "tenama-broker", "-n", "tenama-system", "-o",
			"jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image} "+
				"{.spec.template.spec.containers[0].args[0]}")
		if args != "3 tenama-broker:next --prefix=lent-,cust-" {
			t.Error(args)
		}
		out := i.expect(124, next)
		if strings.Contains(out, "Changes") || strings.Contains(out, "Creates") {
			t.Errorf("a repetition changes something: %s", out)
		}
		i.kubectl("create", "namespace", "cust-a")
		i.kubectl("label", "namespace", "cust-a", "tenama.dev/managed=true")
		i.expect(1, yes("--prefix=lent-"), "cust-a have another prefix", "--prefix NEW,OLD")
		i.expect(1, []string{"uninstall", "--yes"}, "still lent: 1 namespace", "--delete-lent")
		me := i.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		i.kubectl("annotate", "namespace", "cust-a", "tenama.dev/hold=incident", "tenama.dev/held-by="+me)
		i.expect(1, []string{"uninstall", "--yes", "--delete-lent"}, "1 namespace on hold by administrators",
			"unhold cust-a")
		i.kubectl("annotate", "namespace", "cust-a", "tenama.dev/hold-", "tenama.dev/held-by-")
		i.kubectl("delete", "namespace", "cust-a")
	})

	t.Run("what others manage", func(t *testing.T) {
		i.t = t
		i.expect(1, yes("-n=other"), `installed in namespace "tenama-system" already`)
		d := []string{"deployment", "tenama-broker", "-n", "tenama-system"}
		for _, mark := range [][]string{
			{"label", "kustomize.toolkit.fluxcd.io/name=tenama", "Flux"},
			{"label", "helm.toolkit.fluxcd.io/name=tenama", "Flux"},
			{"annotate", "meta.helm.sh/release-name=tenama", "Helm"},
			{"annotate", "argocd.argoproj.io/tracking-id=tenama:apps/Deployment:a/b", "Argo CD"},
		} {
			key, _, _ := strings.Cut(mark[1], "=")
			i.kubectl(append([]string{mark[0]}, append(d, mark[1])...)...)
			i.expect(1, yes(), "installed by "+mark[2], "--export")
			i.expect(1, []string{"uninstall", "--yes"}, "installed by "+mark[2])
			i.kubectl(append([]string{mark[0]}, append(d, key+"-")...)...)
		}
		role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n" +
			"metadata: {name: \"tenama:viewall\"}\nrules: []\n"
		if out, err := i.KubectlIn("admin", role, "apply", "--server-side", "--force-conflicts",
			"--field-manager=gitops", "-f", "-"); err != nil {
			t.Fatal(out)
		}
		i.expect(1, yes(), `ClusterRole "tenama:viewall": .rules is managed by gitops`, "--force-conflicts")
		rules := i.kubectl("get", "clusterrole", "tenama:viewall", "-o", "jsonpath={.rules}")
		if strings.Contains(rules, "verbs") {
			t.Errorf("the conflict was forced: %s", rules)
		}
		i.expect(124, yes("--force-conflicts"), "ClusterRole tenama:viewall", "+ get,list,watch,viewall")
		rules = i.kubectl("get", "clusterrole", "tenama:viewall", "-o", "jsonpath={.rules}")
		if !strings.Contains(rules, "viewall") {
			t.Errorf("the conflict was not forced: %s", rules)
		}
		i.expect(124, yes(), "error: timed out: ")
	})

	t.Run("a right that was added by hand is shown", func(t *testing.T) {
		i.t = t
		i.kubectl("patch", "clusterrole", "tenama:guard", "--type=json", "--field-manager="+"kubectl-tenama", "-p",
			`[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}}]`)
		i.expect(1, []string{"install", image}, "ClusterRole tenama:guard", "- get secrets")
		i.expect(124, yes(), "- get secrets")
		rules := i.kubectl("get", "clusterrole", "tenama:guard", "-o", "jsonpath={.rules}")
		if strings.Contains(rules, "secrets") {
			t.Errorf("the right is still there: %s", rules)
		}
	})

	t.Run("uninstall", func(t *testing.T) {
		i.t = t
		i.expect(1, []string{"uninstall"}, "stdin is not a terminal", "--yes")
		i.expect(1, []string{"uninstall", "--yes", "-n", "default"},
			`not installed in namespace "default", but in "tenama-system"`)
		// A removal that was interrupted after its first step, and an installation again.
		i.kubectl("scale", "deployment", "tenama-broker", "-n", "tenama-system", "--replicas=0")
		i.kubectl("patch", "deployment", "tenama-broker", "-n", "tenama-system", "--subresource=scale", "--type=merge",
			"--field-manager=kubectl-tenama", "-p", `{"spec":{"replicas":1}}`)
		i.expect(124, yes(), "Changes 1 object")
		// A namespace without the label: its brokers are ended and removed nevertheless, because without
		// their rights their API would block the deletion of every namespace. The namespace stays.
		i.kubectl("label", "namespace", "tenama-system", "app.kubernetes.io/name-")
		i.expect(0, []string{"uninstall", "--yes"}, "tenama was removed")
		if out := i.kubectl("get", "deployments", "-n", "tenama-system", "-o", "name"); out != "" {
			t.Errorf("left in the namespace: %s", out)
		}
		i.expect(124, yes(), "error: timed out: ")
		// What others have in the namespace of the broker stays, and so does the namespace.
		i.kubectl("create", "configmap", "theirs", "-n", "tenama-system")
		i.expect(0, []string{"uninstall", "--yes"}, "Namespace tenama-system stays", "configmaps/theirs",
			"tenama was removed")
		i.kubectl("get", "configmap", "theirs", "-n", "tenama-system")
		i.expect(124, yes(), "error: timed out: ")
		i.kubectl("delete", "configmap", "theirs", "-n", "tenama-system")
		// What the component forwarder has in the cluster goes, too.
		i.expect(124, yes(), "error: timed out: ")
		i.kubectl("apply", "-f", filepath.Join(testenv.Root(), "deploy", "components", "forwarder", "forwarder.yaml"))
		i.kubectl("create", "secret", "generic", "tenama-forwarder", "-n", "tenama-system", "--from-literal=config.yaml=x")
		i.expect(0, []string{"uninstall", "--yes"}, "tenama was removed")
		if out := i.objects(); out != "" {
			t.Errorf("left behind: %s", out)
		}
		i.expect(0, []string{"uninstall", "--yes"}, "is not installed")
	})

	t.Run("export", func(t *testing.T) {
		i.t = t
		cmd := exec.Command(testenv.Bin("kubectl-tenama"), "install", "--export", image)
		cmd.Env = append(os.Environ(), "KUBECONFIG=/nonexistent")
		manifests, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		// In one go, on a cluster that knows none of the definitions.
		if out, err := i.KubectlIn("admin", string(manifests), "apply", "--server-side", "-f", "-"); err != nil {
			t.Error(out)
		}
		i.expect(124, yes(), "error: timed out: ") // the plugin takes over what it would write itself
		i.expect(0, []string{"uninstall", "--yes"}, "tenama was removed")
	})
}
