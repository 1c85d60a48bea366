// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

// The stages of one pipeline are on two clusters, each with a credential for its namespace only,
// and production waits for a person.
func TestGitLabStages(t *testing.T) {
	t.Parallel()
	second, err := testenv.StartCluster(t.Context(), filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Stop)
	production := func(args ...string) string {
		t.Helper()
		out, err := second.Kubectl("admin", args...)
		if err != nil {
			t.Fatalf("kubectl %v: %s", args, out)
		}
		return out
	}
	production("create", "namespace", "shop")
	production("create", "serviceaccount", "deployer", "-n", "shop")
	production("create", "rolebinding", "deployer", "-n", "shop", "--clusterrole=edit", "--serviceaccount=shop:deployer")
	config, err := testenv.LoadConfig(second.Kubeconfig("admin"))
	if err != nil {
		t.Fatal(err)
	}
	in := func(environment, value string) map[string]any {
		return map[string]any{"type": "variable", "values": map[string]string{environment: value}}
	}
	g := newGitLab(t, "stages", 44, map[string]any{
		"CLUSTER_ADDRESS": in("production", second.Server),
		"CA_AUTH_DATA":    in("production", base64.StdEncoding.EncodeToString(config.CAData)),
		"K8S_TOKEN":       in("production", strings.TrimSpace(production("create", "token", "deployer", "-n", "shop"))),
		"K8S_NAMESPACE":   in("production", "shop"),
		"CI_REGISTRY":     "registry.example.test", "CI_DEPLOY_USER": "gitlab+deploy-token-1",
		"CI_DEPLOY_PASSWORD": "gldt-secret",
	})
	g.claims["ref_protected"] = "true"
	checkout := g.checkout(t, g.project)

	out := g.run(t, checkout, mainBranch)
	if !strings.Contains(out, "PASS  deploy:development") || !strings.Contains(out, "PASS  deploy:testing") ||
		strings.Contains(out, "PASS  deploy:production") {
		t.Errorf("the first pipeline:\n%s", out)
	}
	stage := func(c *testenv.Cluster, namespace string) (name string, replicas int) {
		t.Helper()
		out, err := c.Kubectl("admin", "get", "deployment", "web", "-n", namespace, "-o", "json")
		if err != nil {
			t.Fatal(out)
		}
		var d struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
			Spec struct {
				Replicas int `json:"replicas"`
			} `json:"spec"`
		}
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatal(err)
		}
		return d.Metadata.Annotations["example.com/stage"], d.Spec.Replicas
	}
	for _, name := range []string{"development", "testing"} {
		if got, n := stage(shared.Cluster, "tmp-acme-stages-"+name); got != name || n != 1 {
			t.Errorf("%s has the overlay of %q, with %d replicas", name, got, n)
		}
	}

	t.Run("images", func(t *testing.T) {
		const ns = "tmp-acme-stages-testing"
		got := admin(t, "get", "serviceaccount", "default", "-n", ns, "-o", "jsonpath={.imagePullSecrets[*].name}")
		if got != "gitlab-registry" {
			t.Errorf("pods pull with %q", got)
		}
		encoded := admin(t, "get", "secret", "gitlab-registry", "-n", ns, "-o", `jsonpath={.type} {.data.\.dockerconfigjson}`)
		kind, data, _ := strings.Cut(encoded, " ")
		b, err := base64.StdEncoding.DecodeString(data)
		want := `{"auths":{"registry.example.test":{"username":"gitlab+deploy-token-1","password":"gldt-secret"}}}`
		if err != nil || kind != "kubernetes.io/dockerconfigjson" || string(b) != want {
			t.Errorf("the secret is %s %s: %v", kind, b, err)
		}
		restarted := `jsonpath={.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}`
		if admin(t, "get", "deployment", "web", "-n", "tmp-acme-stages-development", "-o", restarted) == "" {
			t.Error("development is not restarted")
		}
		if got := admin(t, "get", "deployment", "web", "-n", ns, "-o", restarted); got != "" {
			t.Errorf("testing is restarted at %s", got)
		}
	})

	t.Run("no cluster", func(t *testing.T) {
		without := newGitLab(t, "stages", 44, nil)
		out, err := without.command(t, without.checkout(t, without.project), mainBranch, "deploy:production").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "The stage production has no cluster: ") {
			t.Errorf("%v\n%s", err, out)
		}
	})

	t.Run("again", func(t *testing.T) {
		if out := g.run(t, checkout, mainBranch); !strings.Contains(out, "deployment.apps/web unchanged") {
			t.Errorf("the second pipeline changes testing:\n%s", out)
		}
	})

	t.Run("production", func(t *testing.T) {
		if out := production("get", "deployment", "-n", "shop"); !strings.Contains(out, "No resources found") {
			t.Fatalf("production did not wait: %s", out)
		}
		g.run(t, checkout, mainBranch, "deploy:production")
		if got, n := stage(second, "shop"); got != "production" || n != 3 {
			t.Errorf("production has the overlay of %q, with %d replicas", got, n)
		}
	})

	// The credentials of a stage are good for its namespace only.
	t.Run("beyond the namespace", func(t *testing.T) {
		for job, script := range map[string]string{
			"deploy:development": "kubectl get secrets -n tmp-acme-stages-testing",
			"deploy:production":  "kubectl get secrets -n kube-system",
		} {
			other := g.checkout(t, g.project)
			edit(t, filepath.Join(other, ".gitlab-ci.yml"), "stages: [development, testing, production]",
				"stages: [development, testing, production]\n\n"+job+": {script: ['"+script+"']}")
			out, err := g.command(t, other, mainBranch, job).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "secrets is forbidden") {
				t.Errorf("%s: %v\n%s", job, err, out)
			}
		}
	})
}
