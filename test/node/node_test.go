// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// Without this test, another test on the node could fail, or pass, because the node
// itself does not work.
func TestPods(t *testing.T) {
	t.Parallel()
	n := Start(t)
	admin := n.User(t, "admin")
	admin.Kubectl("create", "namespace", "pods")
	admin.Apply(Server("web"), "-n", "pods")
	admin.Rollout("pods", "web") // the readiness probe of kubelet succeeds

	if out := admin.Kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"); out != hostname {
		t.Errorf("nodes: %q", out)
	}
	pod := admin.Kubectl("get", "pods", "-n", "pods", "-o", "jsonpath={.items[0].metadata.name}")
	t.Run("names", func(t *testing.T) {
		for name, want := range map[string]string{
			"kubernetes.default.svc": "10.96.0.1", "kubernetes.default.svc.cluster.local": "10.96.0.1",
			"outside.test": host(Outside), "web": admin.Kubectl("get", "service", "-n", "pods", "web", "-o",
				"jsonpath={.spec.clusterIP}"),
		} {
			if err := testenv.Eventually(settle, func() error {
				out, err := admin.Try("exec", "-n", "pods", pod, "--", "/probe", "resolve", name)
				if err == nil && strings.TrimSpace(out) != want {
					err = fmt.Errorf("%s resolves to %s, want %s", name, out, want)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		}
		if out, err := admin.Try("exec", "-n", "pods", pod, "--", "/probe", "resolve", "absent.test"); err == nil {
			t.Errorf("absent.test resolves to %s", out)
		}
	})
	t.Run("Services", func(t *testing.T) {
		admin.Open("pods", pod, "web.pods.svc:80")
		if out, err := admin.Dial("pods", pod, "web:80"); err != nil || !strings.HasPrefix(out, pod+" saw 10.244.") {
			t.Errorf("the answer is %q, %v", out, err)
		}
	})
	t.Run("logs", func(t *testing.T) {
		if out := admin.Kubectl("logs", "-n", "pods", pod); !strings.Contains(out, "serving on [::]:8080") {
			t.Errorf("the log is %q", out)
		}
	})
	t.Run("outside", func(t *testing.T) {
		admin.Open("pods", pod, Outside)
		out, err := admin.Dial("pods", pod, Outside)
		if address := podAddress(admin, "pods", pod); err != nil || !strings.Contains(out, " saw "+address+":") {
			t.Errorf("the answer to %s is %q, %v", address, out, err)
		}
		admin.Open("pods", pod, Metadata)
	})
	admin.Kubectl("delete", "namespace", "pods", "--timeout=2m")
}

func podAddress(u *User, namespace, pod string) string {
	return u.Kubectl("get", "pod", "-n", namespace, pod, "-o", "jsonpath={.status.podIP}")
}

// Without this test, a test on the node could accept a NetworkPolicy that nothing
// enforces, or that blocks everything.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	n := Start(t)
	admin := n.User(t, "admin")
	for _, namespace := range []string{"walled", "elsewhere"} {
		admin.Kubectl("create", "namespace", namespace)
		admin.Apply(Server("web")+"---"+Server("client"), "-n", namespace)
	}
	for _, namespace := range []string{"walled", "elsewhere"} {
		admin.Rollout(namespace, "web")
		admin.Rollout(namespace, "client")
	}
	const client = "deployment/client"
	admin.Open("elsewhere", client, "web.walled:80")
	admin.Open("walled", client, "web.elsewhere:80")
	admin.Open("walled", client, Metadata)

	admin.Apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: walled}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}]}]
  egress:
  - to: [{podSelector: {}}]
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 10.244.0.0/16]}}]
`, "-n", "walled")
	admin.Closed("elsewhere", client, "web.walled:80")
	admin.Closed("walled", client, Metadata)
	admin.Closed("walled", client, "web.elsewhere:80")
	// Still open: other pods, other namespaces, names, the outside.
	admin.Open("walled", client, "web:80")
	admin.Open("walled", client, "outside.test:80")
	admin.Open("elsewhere", client, "web:80")
	admin.Open("elsewhere", client, Metadata)

	admin.Kubectl("delete", "networkpolicy", "-n", "walled", "walled")
	admin.Open("elsewhere", client, "web.walled:80")
	admin.Open("walled", client, Metadata)
	admin.Kubectl("delete", "namespace", "walled", "elsewhere", "--wait=false")
}
