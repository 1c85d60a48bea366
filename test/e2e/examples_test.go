// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/test/attack"
	"tenama.dev/tenama/test/testenv"
)

// fluxKinds are stand-ins for the definitions that Flux installs.
const fluxKinds = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kustomizations.kustomize.toolkit.fluxcd.io}
spec:
  group: kustomize.toolkit.fluxcd.io
  scope: Namespaced
  names: {plural: kustomizations, kind: Kustomization}
  versions:
  - {name: v1, served: true, storage: true,
     schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gitrepositories.source.toolkit.fluxcd.io}
spec:
  group: source.toolkit.fluxcd.io
  scope: Namespaced
  names: {plural: gitrepositories, kind: GitRepository}
  versions:
  - {name: v1, served: true, storage: true,
     schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

// widened installs tenama as examples/README.md describes: with prefixes for classes,
// and kinds beyond guard rails. It returns the flags of its broker.
func widened(t *testing.T, c *testenv.Cluster) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(c.Deploy)); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "deploy", "settings", "settings.yaml")
	b, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	const prefixes = "tmp-,cust-,team-"
	changed := strings.Replace(string(b), "prefix: tmp-\n", "prefix: "+prefixes+"\n", 1)
	if changed == string(b) {
		t.Fatal("settings.yaml has no prefix to change")
	}
	overlay := filepath.Join(dir, "overlay")
	for path, text := range map[string]string{
		settings: changed,
		filepath.Join(overlay, "kustomization.yaml"): "resources: [../deploy/local]\ncomponents: [../deploy/kinds]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"apply", "-f", "-"}, {"apply", "--server-side", "--force-conflicts", "-k", overlay},
		{"wait", "--for=condition=Established", "crd", "--all"},
	} {
		if out, err := c.KubectlIn("admin", fluxKinds, args...); err != nil {
			t.Fatal(out)
		}
	}
	kinds, err := os.ReadFile(filepath.Join(c.Deploy, "kinds", "kinds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cm struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(kinds, &cm); err != nil || cm.Data["kinds"] == "" {
		t.Fatalf("kinds.yaml: %v", err)
	}
	return []string{"--prefix=" + prefixes, "--object-kinds=" + cm.Data["kinds"]}
}

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

// Adding a team must take a single step and create everything a team needs; a class may
// contain the objects of flux create tenant, and containment must still hold.
func TestExampleTeams(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	start(t, c, port, "broker-0", append(widened(t, c), "--inspect-interval=500ms")...)
	examples := filepath.Join(testenv.Root(), "examples", "teams")
	if out, err := c.Kubectl("admin", "apply", "-k", examples); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "wait", "--for=condition=Ready", "--timeout=90s",
		"namespaceclass/team"); err != nil {
		t.Fatal(out)
	}
	for _, want := range []string{"created", "unchanged"} {
		if out, err := c.Kubectl("admin", "apply", "-f", filepath.Join(examples, "add-a-team.yaml")); err != nil ||
			!strings.Contains(out, want) {
			t.Fatalf("got %s, want %s", out, want)
		}
	}
	for _, args := range [][]string{
		{
			"create", "clusterrole", "flux", "--verb=get,patch,update",
			"--resource=gitrepositories.source.toolkit.fluxcd.io,kustomizations.kustomize.toolkit.fluxcd.io",
		},
		{"create", "clusterrolebinding", "flux", "--clusterrole=flux", "--group=flux", "--group=payments"},
	} {
		if out, err := c.Kubectl("admin", args...); err != nil {
			t.Fatal(out)
		}
	}
	const ns = "team-payments"
	member, err := c.ConfigFor("pat", "payments")
	if err != nil {
		t.Fatal(err)
	}
	pat := kubernetesFor(t, member)
	if _, err := pat.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{}); err != nil {
		t.Errorf("a member of the team: %v", err)
	}
	if _, err := c.Client("alice").CoreV1().ConfigMaps(ns).
		List(ctx, metav1.ListOptions{}); reason(err) != metav1.StatusReasonForbidden {
		t.Errorf("a member of another team: %v", err)
	}
	get := func(what, path string) string {
		out, err := c.Kubectl("admin", "-n", ns, "get", what, "-o", "jsonpath="+path)
		if err != nil {
			t.Errorf("%s: %s", what, out)
		}
		return out
	}
	for _, check := range []struct{ what, path, want string }{
		{"serviceaccount/reconciler", `{.metadata.labels.toolkit\.fluxcd\.io/tenant}`, ns},
		{
			"rolebinding/reconciler", "{.roleRef.name} {.subjects[*].kind} {.subjects[*].namespace}/{.subjects[*].name}",
			"admin ServiceAccount " + ns + "/reconciler",
		},
		{"kustomizations.kustomize.toolkit.fluxcd.io/team", "{.spec.serviceAccountName}", "reconciler"},
		{"gitrepositories.source.toolkit.fluxcd.io/team", "{.spec.url}", "https://git.example.com/teams/" + ns + ".git"},
		{"resourcequota/team", `{.spec.hard.requests\.cpu}`, "16"},
		{"namespace/" + ns, `{.metadata.labels.pod-security\.kubernetes\.io/enforce}`, "restricted"},
		{"tns/" + ns, "{.status.phase} {.status.ownerGroup} {.status.lifetime}", "Ready payments Unbounded"},
	} {
		if got := get(check.what, check.path); got != check.want {
			t.Errorf("%s: got %q, want %q", check.what, got, check.want)
		}
	}
	// The account has the rights of its role in this namespace and nowhere else.
	for where, want := range map[string]string{ns: "yes", "default": "no"} {
		if out, _ := c.Kubectl("admin", "auth", "can-i", "create", "deployments.apps", "-n", where, "--as",
			"system:serviceaccount:"+ns+":reconciler"); !strings.HasPrefix(out, want) {
			t.Errorf("the account of Flux in %s: %s", where, out)
		}
	}
	// Flux's controllers, which lack the verb override, must be able to set and remove
	// finalizers.
	for _, finalizers := range []string{`["finalizers.fluxcd.io"]`, "null"} {
		for _, kind := range []string{
			"gitrepositories.source.toolkit.fluxcd.io", "kustomizations.kustomize.toolkit.fluxcd.io",
		} {
			if out, err := kubectlAs(t, c, "source-controller", "flux", "-n", ns, "patch", kind, "team", "--type=merge", "-p",
				`{"metadata":{"finalizers":`+finalizers+`}}`); err != nil {
				t.Errorf("a controller of Flux: %s", out)
			}
		}
	}
	// A team cannot change objects of the class; changes by administrators are
	// reverted.
	if out, err := kubectlAs(t, c, "pat", "payments", "-n", ns, "patch", "kustomizations.kustomize.toolkit.fluxcd.io",
		"team", "--type=merge", "-p", `{"spec":{"serviceAccountName":"other"}}`); err == nil {
		t.Errorf("a tenant can change an object of the class: %s", out)
	}
	if out, err := c.Kubectl("admin", "-n", ns, "patch", "gitrepositories.source.toolkit.fluxcd.io", "team",
		"--type=merge", "-p", `{"spec":{"url":"https://evil.example.com/x.git"}}`); err != nil {
		t.Fatal(out)
	}
	if out, err := c.Kubectl("admin", "-n", ns, "delete", "rolebinding", "reconciler"); err != nil {
		t.Fatal(out)
	}
	err = testenv.Eventually(60*time.Second, func() error {
		out, _ := c.Kubectl("admin", "-n", ns, "get", "gitrepositories.source.toolkit.fluxcd.io/team",
			"rolebinding/reconciler", "-o", "jsonpath={.items[*].spec.url} {.items[*].roleRef.name}")
		if out != "https://git.example.com/teams/"+ns+".git admin" {
			return errOf(out)
		}
		return nil
	})
	if err != nil {
		t.Errorf("the broker did not restore the objects of the class: %v", err)
	}
	// The component widens the broker's rights exactly as documented.
	stage := newStage(t, c)
	allowed := map[string]bool{ // in managed namespaces, and only there
		"bind an account of the namespace": true, "create a config map": true,
	}
	for _, r := range attack.Rows() {
		stop, detail := stage.Try(ctx, r)
		if stop != r.Stop && !(stop == attack.Nothing && allowed[r.What]) {
			t.Errorf("%s: %s: stopped by %s, want %s: %s", r.Role, r.What, stop, r.Stop, detail)
		}
	}
	for what, row := range map[string]attack.Row{
		"a secret": {
			Path: "/api/v1/namespaces/" + ns + "/secrets",
			Body: "{apiVersion: v1, kind: Secret, metadata: {name: x, labels: {tenama.dev/managed: 'true'}}}",
		},
		"a pod": {
			Path: "/api/v1/namespaces/" + ns + "/pods",
			Body: "{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {tenama.dev/managed: 'true'}}, spec: " +
				"{securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: " +
				"c, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}",
		},
		"a deployment": {
			Path: "/apis/apps/v1/namespaces/" + ns + "/deployments",
			Body: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, labels: {tenama.dev/managed: 'true'}}, spec: " +
				"{selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, " +
				"image: c}]}}}}",
		},
		"a Kustomization without an account": {
			Path: "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/" + ns + "/kustomizations",
			Body: "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: x, labels: " +
				"{tenama.dev/managed: 'true'}}, spec: {sourceRef: {kind: GitRepository, name: evil}}}",
		},
		"a Kustomization for kube-system": {
			Path: "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/" + ns + "/kustomizations",
			Body: "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: x, labels: " +
				"{tenama.dev/managed: 'true'}}, spec: {serviceAccountName: a, targetNamespace: kube-system, sourceRef: {kind: " +
				"GitRepository, name: evil}}}",
		},
		"a config map in default": {
			Path: "/api/v1/namespaces/default/configmaps",
			Body: "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {tenama.dev/managed: 'true'}}}",
		},
		"a binding for an account of default": {
			Path: "/apis/rbac.authorization.k8s.io/v1/namespaces/" + ns + "/rolebindings",
			Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, labels: " +
				"{tenama.dev/managed: 'true'}}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}, " +
				"subjects: [{kind: ServiceAccount, namespace: default, name: default}]}",
		},
		"a binding to the broker's role": {
			Path: "/apis/rbac.authorization.k8s.io/v1/namespaces/" + ns + "/rolebindings",
			Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, labels: " +
				"{tenama.dev/managed: 'true'}}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: " +
				"'tenama:namespace-manager'}, subjects: [{kind: ServiceAccount, namespace: " + ns + ", name: reconciler}]}",
		},
		"a binding to cluster-admin": {
			Path: "/apis/rbac.authorization.k8s.io/v1/namespaces/" + ns + "/rolebindings",
			Body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x, labels: " +
				"{tenama.dev/managed: 'true'}}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: " +
				"cluster-admin}, subjects: [{kind: ServiceAccount, namespace: " + ns + ", name: reconciler}]}",
		},
	} {
		row.Role, row.Method = attack.BrokerAsAdmin, "POST"
		if stop, detail := stage.Try(ctx, row); stop != attack.Containment {
			t.Errorf("the broker creates %s: stopped by %s: %s", what, stop, detail)
		}
	}
}

// kubectlAs runs kubectl as a user in a group.
func kubectlAs(t *testing.T, c *testenv.Cluster, user, group string, args ...string) (string, error) {
	t.Helper()
	return c.Kubectl("admin",
		append(args, "--as="+user, "--as-group="+group, "--as-group=system:authenticated",
			fmt.Sprintf("--request-timeout=%s", time.Minute))...)
}
