// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/internal/attack"
	"tenama.dev/tenama/test/testenv"
)

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
