// SPDX-License-Identifier: Apache-2.0

package install

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/deploy"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(b); err != nil {
		t.Fatal(err)
	}
	return o
}

// An administrator with an old plugin must not go back by accident.
func TestIsDowngrade(t *testing.T) {
	for _, row := range []struct {
		installed, ours string
		want            bool
	}{
		{"v1.2.3", "v1.2.2", true}, {"v1.2.3", "v1.2.3-rc.1", true}, {"v1.10.0", "v1.9.0", true},
		{"v1.2.3", "v1.2.3", false}, {"v1.2.3", "v1.2.4", false}, {"", "v1.2.3", false}, {"v1.2.3", "(devel)", false},
		{"v0.0.0-20261130071354-2c3cc7c", "v0.1.0", false},
	} {
		i := Installed{Version: row.installed}
		if got := i.IsDowngrade(row.ours); got != row.want {
			t.Errorf("from %q to %q: a downgrade: %t, want %t", row.installed, row.ours, got, row.want)
		}
	}
}

// What another tool would change back must be left to it.
func TestOwner(t *testing.T) {
	for metadata, want := range map[string]string{
		"{name: a}": "", "{name: a, labels: {app.kubernetes.io/managed-by: kustomize}}": "",
		"{name: a, labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: x, " +
			"meta.helm.sh/release-namespace: ns}}": "Helm (release ns/x)",
		"{name: a, labels: {kustomize.toolkit.fluxcd.io/name: x, " +
			"kustomize.toolkit.fluxcd.io/namespace: ns}}": "Flux (Kustomization ns/x)",
		// Flux runs Helm: its label says who decides.
		"{name: a, labels: {helm.toolkit.fluxcd.io/name: x, helm.toolkit.fluxcd.io/namespace: ns, " +
			"app.kubernetes.io/managed-by: Helm}}": "Flux (HelmRelease ns/x)",
		"{name: a, annotations: {argocd.argoproj.io/tracking-id: 'x:apps/Deployment:a/b'}}": "Argo CD (Application x)",
		"{name: a, managedFields: [{manager: argocd-controller, operation: Apply}]}":        "Argo CD",
	} {
		if got := Owner(object(t, "{apiVersion: v1, kind: ConfigMap, metadata: "+metadata+"}")); got != want {
			t.Errorf("%s: got %q, want %q", metadata, got, want)
		}
	}
}

// Each right and each rule that changes must be shown, and nothing else.
func TestDifferences(t *testing.T) {
	const role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a}, rules: [RULES]}"
	const pods, secrets = "{apiGroups: [''], resources: [pods], verbs: [get, list]}",
		"{apiGroups: [''], resources: [secrets], resourceNames: [x], verbs: [get]}"
	const policy = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, " +
		"metadata: {name: a}, spec: " +
		"{failurePolicy: FAIL, matchConditions: [{name: c, expression: 'CONDITION'}], validations: [{expression: 'a == b', " +
		"message: the broker may not}]}}"
	base := strings.NewReplacer("FAIL", "Fail", "CONDITION", "true").Replace(policy)
	for name, row := range map[string]struct {
		live, result string
		want         []Line
	}{
		"the order of rules": {
			strings.Replace(role, "RULES", pods+", "+secrets, 1), strings.Replace(role, "RULES", secrets+", "+pods, 1), nil,
		},
		"a right too many": {
			strings.Replace(role, "RULES", pods+", "+secrets, 1), strings.Replace(role, "RULES", pods, 1),
			[]Line{{'-', "get secrets named x"}},
		},
		"a new right": {
			strings.Replace(role, "RULES", "", 1), strings.Replace(role, "RULES", pods, 1), []Line{{'+', "get,list pods"}},
		},
		"an exemption": {
			base, strings.Replace(base, "true", "x != y", 1), []Line{{'-', "only if c: true"}, {'+', "only if c: x != y"}},
		},
		"a policy that is ignored if it fails": {
			base, strings.Replace(base, "Fail", "Ignore", 1),
			[]Line{{'-', "failurePolicy: Fail"}, {'+', "failurePolicy: Ignore"}},
		},
		"a weaker rule": {
			base, strings.Replace(base, "a == b", "true || a == b", 1),
			[]Line{{'-', "the broker may not, unless a == b"}, {'+', "the broker may not, unless true || a == b"}},
		},
	} {
		c := Change{Live: object(t, row.live), Result: object(t, row.result)}
		if diff := cmp.Diff(row.want, c.Differences()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The first installation shows every role and policy, so none may be left without words.
func TestDifferencesOfAll(t *testing.T) {
	objects, err := deploy.Objects(deploy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		c := Change{Result: o}
		switch o.GetKind() {
		case "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ValidatingAdmissionPolicy",
			"ValidatingAdmissionPolicyBinding":
			if len(c.Differences()) == 0 {
				t.Errorf("%s has no words", label(o))
			}
		default:
			if d := c.Differences(); len(d) > 0 {
				t.Errorf("%s: %v", label(o), d)
			}
		}
	}
}

func TestRollout(t *testing.T) {
	const deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 2}, " +
		"spec: {replicas: 2, template: " +
		"{spec: {hostNetwork: HOST}}}, status: {observedGeneration: 2, STATUS}}"
	for _, row := range []struct {
		host, status string
		done         bool
	}{
		{"false", "replicas: 2, updatedReplicas: 2, availableReplicas: 2", true},
		{"false", "replicas: 3, updatedReplicas: 2, availableReplicas: 2", false},
		{"false", "replicas: 2, updatedReplicas: 2, availableReplicas: 1", false},
		{"false", "replicas: 2, updatedReplicas: 1, availableReplicas: 2", false},
		{"false", "observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2", false},
		{"true", "replicas: 2, updatedReplicas: 2, availableReplicas: 1", true}, // a cluster with one node
		{"true", "replicas: 2, updatedReplicas: 2, availableReplicas: 0", false},
	} {
		text := strings.NewReplacer("HOST", row.host, "STATUS", row.status).Replace(deployment)
		if strings.Count(text, "observedGeneration") > 1 {
			text = strings.Replace(text, "observedGeneration: 2, ", "", 1)
		}
		if waits := rollout(object(t, text)); (waits == "") != row.done {
			t.Errorf("host network %s, %s: waits for %q", row.host, row.status, waits)
		}
	}
}
