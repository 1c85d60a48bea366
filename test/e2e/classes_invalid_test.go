// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// Classes that cannot work must be refused with the reason, or be reported as not
// ready.
func TestInvalidClasses(t *testing.T) {
	class := func(spec string) string {
		return "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceClass\nmetadata: {name: bad}\nspec:\n" + spec
	}
	const life = "  lifetime: {defaultTTLSeconds: 60, maximumTTLSeconds: 600}\n"
	object := func(o string) string { return class(life + "  objects:\n  - " + o + "\n") }
	for name, c := range map[string]struct{ manifest, want string }{
		"maximum below default": {
			class("  lifetime: {defaultTTLSeconds: 60, maximumTTLSeconds: 6}\n"),
			"maximumTTLSeconds must not be below defaultTTLSeconds",
		},
		"no lifetime": {class("  description: x\n"), "spec.lifetime"},
		"zero TTL": {
			class("  lifetime: {defaultTTLSeconds: 0, maximumTTLSeconds: 600}\n"), "greater than or equal to 1",
		},
		"privileged pods": {class(life + "  podSecurity: privileged\n"), `"baseline", "restricted"`},
		"unknown quota key": {
			object("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {cores: 4}}}"),
			`Kubernetes has no quota "cores"`,
		},
		// All of them are named, in no order: a policy cannot sort.
		"two unknown quota keys, the first": {object(unknownKeys), `no quota "cores": use requests.cpu`},
		"two unknown quota keys, the other": {object(unknownKeys), `no quota "ram": use requests.memory`},
		"two foreign units, the first":      {object(foreignUnits), `requests.cpu: "2 cores"`},
		"two foreign units, the other":      {object(foreignUnits), `requests.memory: "4GB"`},
		"two foreign units, the remedy":     {object(foreignUnits), "not a quantity: use a number"},
		"a limit with a foreign unit": {
			object("{apiVersion: v1, kind: LimitRange, metadata: {name: q}, spec: {limits: [{type: Container, default: " +
				"{memory: 4GB}}]}}"),
			`memory: "4GB": not a quantity`,
		},
		"a cluster-scoped object": {
			object("{apiVersion: v1, kind: Namespace, metadata: {name: q}}"), "v1/Namespace is not a guard rail",
		},
		"a secret": {
			object("{apiVersion: v1, kind: Secret, metadata: {name: q}}"), "v1/Secret is not a guard rail",
		},
		"an object without name": {object("{apiVersion: v1, kind: ServiceAccount, metadata: {}}"), "metadata.name"},
		"an object in another namespace": {
			object("{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, namespace: kube-system}}"),
			"metadata.namespace must be empty",
		},
		"reserved labels": {
			class(life + "  namespaceLabels: {pod-security.kubernetes.io/enforce: privileged}\n"), "reserved",
		},
		"reserved annotations": {class(life + "  namespaceAnnotations: {tenama.dev/owner: me}\n"), "reserved"},
		"a dotted name":        {strings.Replace(class(life), "name: bad", "name: a.b", 1), "DNS-1123 label"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := shared.KubectlIn("admin", c.manifest, "apply", "-f", "-")
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("got %s, want a rejection with %q", out, c.want)
			}
		})
	}
	for name, c := range map[string]struct{ manifest, reason, message string }{
		"a role that the broker may not bind": {
			class(life + "  ownerRole: cluster-admin\n"), "RoleNotBindable",
			`may not bind ClusterRole "cluster-admin": ClusterRole tenama:broker`,
		},
		"an unknown field": {
			object("{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limitz: []}}"), "InvalidObject",
			`unknown field "spec.limitz"`,
		},
		"a negative quota": {
			object(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: "-1"}}}`), "InvalidObject",
			"negative",
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { _, _ = shared.Kubectl("admin", "delete", "namespaceclass", "bad", "--ignore-not-found") }()
			if out, err := shared.KubectlIn("admin", c.manifest, "apply", "-f", "-"); err != nil {
				t.Fatal(out)
			}
			err := testenv.Eventually(60*time.Second, func() error {
				out, err := shared.Kubectl("admin", "get", "namespaceclass", "bad", "-o",
					`jsonpath={.status.conditions[?(@.type=="Ready")]}`)
				if err != nil || !strings.Contains(out, `"status":"False"`) || !strings.Contains(out, c.reason) {
					return errOf(out)
				}
				return nil
			})
			if err != nil {
				t.Fatalf("the condition: %v, want %s", err, c.reason)
			}
			tn := tns(unique("bad"), time.Minute)
			tn.Spec.ClassName = "bad"
			_, err = user(t, "alice").Create(t.Context(), tn, metav1.CreateOptions{})
			if reason(err) != metav1.StatusReasonInvalid || !strings.Contains(err.Error(), c.message) {
				t.Errorf("create: got %v, want Invalid with %q", err, c.message)
			}
		})
	}
}

type errOf string

func (e errOf) Error() string { return string(e) }
