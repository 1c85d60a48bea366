// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

func decoded[T any](t *testing.T, text string) *T {
	t.Helper()
	out := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// Every weaker or different field must count as a difference, and no default of
// kube-apiserver or addition of others.
func TestDiff(t *testing.T) {
	quota := func(text string) runtime.Object { return decoded[corev1.ResourceQuota](t, text) }
	limits := func(text string) runtime.Object { return decoded[corev1.LimitRange](t, text) }
	network := func(text string) runtime.Object { return decoded[networkingv1.NetworkPolicy](t, text) }
	account := func(text string) runtime.Object { return decoded[corev1.ServiceAccount](t, text) }
	for name, c := range map[string]struct {
		want, have runtime.Object
		field      string
	}{
		"the same, written otherwise": {quota("spec: {hard: {requests.memory: 1Gi}}"),
			quota("spec: {hard: {requests.memory: 1024Mi}}"), ""},
		"a quota is higher": {quota("spec: {hard: {pods: 5}}"), quota("spec: {hard: {pods: 50}}"),
			"spec.hard[pods]"},
		"a quota is lower": {quota("spec: {hard: {pods: 5}}"), quota("spec: {hard: {pods: 1}}"),
			"spec.hard[pods]"},
		"a quota is gone": {quota("spec: {hard: {pods: 5}}"), quota("spec: {hard: {}}"),
			"spec.hard[pods]"},
		"a further quota": {quota("spec: {hard: {pods: 5}}"),
			quota("spec: {hard: {pods: 5, secrets: 1}}"), ""},
		"a scope": {quota("spec: {hard: {pods: 5}}"),
			quota("spec: {hard: {pods: 5}, scopes: [BestEffort]}"), "spec.scopes"},
		"status is not compared": {quota("spec: {hard: {pods: 5}}"),
			quota("{spec: {hard: {pods: 5}}, status: {used: {pods: 3}}}"), ""},
		"labels of others": {quota("metadata: {labels: {a: b}}"),
			quota("metadata: {labels: {a: b, c: d}}"), ""},
		"a label that the broker's stands over": {quota("metadata: {labels: {app.kubernetes.io/managed-by: Helm}}"),
			quota("metadata: {labels: {app.kubernetes.io/managed-by: tenama}}"), ""},
		"a label of the class is gone": {quota("metadata: {labels: {a: b}}"), quota("metadata: {labels: {c: d}}"),
			"metadata.labels[a]"},
		"an annotation is another": {quota("metadata: {annotations: {a: b}}"),
			quota("metadata: {annotations: {a: c}}"), "metadata.annotations[a]"},
		"defaults filled in": {limits("spec: {limits: [{type: Container, max: {cpu: 1}}]}"),
			limits("spec: {limits: [{type: Container, max: {cpu: 1}, default: {cpu: 1}, defaultRequest: {cpu: 1}}]}"), ""},
		"a limit is higher": {limits("spec: {limits: [{type: Container, max: {cpu: 1}}]}"),
			limits("spec: {limits: [{type: Container, max: {cpu: 2}}]}"), "spec.limits"},
		"a further limit": {limits("spec: {limits: [{type: Container, max: {cpu: 1}}]}"),
			limits("spec: {limits: [{type: Container, max: {cpu: 1}}, {type: Pod}]}"), "spec.limits"},
		"policy types filled in": {network("spec: {podSelector: {}, egress: [{}]}"),
			network("spec: {podSelector: {}, egress: [{}], policyTypes: [Ingress, Egress]}"), ""},
		"a protocol filled in": {network("spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}"),
			network("spec: {podSelector: {}, ingress: [{ports: [{port: 80, protocol: TCP}]}], policyTypes: [Ingress]}"), ""},
		"what denied all allows all": {network("spec: {podSelector: {}, policyTypes: [Ingress]}"),
			network("spec: {podSelector: {}, ingress: [{}], policyTypes: [Ingress]}"), "spec"},
		"a direction is not held": {network("spec: {podSelector: {}, policyTypes: [Ingress, Egress]}"),
			network("spec: {podSelector: {}, policyTypes: [Ingress]}"), "spec"},
		"it holds for fewer pods": {network("spec: {podSelector: {}, policyTypes: [Ingress]}"),
			network("spec: {podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress]}"), "spec"},
		"an account mounts its token": {account("automountServiceAccountToken: false"),
			account("automountServiceAccountToken: true"), "automountServiceAccountToken"},
		"an account has a secret of ours": {account("imagePullSecrets: [{name: a}]"), account("imagePullSecrets: []"),
			"imagePullSecrets"},
		"an account has others' secrets": {account("{}"), account("secrets: [{name: a}]"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Diff(c.want, c.have); got != c.field {
				t.Errorf("differs in %q, want %q", got, c.field)
			}
		})
	}
}

// An applied manifest contains the required fields, and no fields of other managers.
func TestManifest(t *testing.T) {
	for name, c := range map[string]struct {
		obj        runtime.Object
		has, hasNo string
	}{
		"an empty list denies, so it is there": {decoded[networkingv1.NetworkPolicy](t,
			"{kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}"),
			`"egress":[],"ingress":[]`, "status"},
		"a direction that is left open is not": {decoded[networkingv1.NetworkPolicy](t,
			"{metadata: {name: a}, spec: {podSelector: {}, policyTypes: [Ingress]}}"), `"ingress":[]`, "egress"},
		"the mark": {decoded[corev1.ResourceQuota](t, "{metadata: {name: a, labels: {x: z}}, spec: {hard: {pods: 5}}}"),
			`"labels":{"app.kubernetes.io/managed-by":"tenama","tenama.dev/managed":"true","x":"z"}`, "creationTimestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Manifest(c.obj)
			if err != nil || !strings.Contains(string(b), c.has) || strings.Contains(string(b), c.hasNo) {
				t.Errorf("got %s, %v, want %s in it, and no %s", b, err, c.has, c.hasNo)
			}
		})
	}
}
