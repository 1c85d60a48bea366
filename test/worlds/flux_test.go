// SPDX-License-Identifier: Apache-2.0

package worlds

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tenama.dev/tenama/test/testenv"
)

const (
	emptyKustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: "
	settings           = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {plan: a}\n"
)

// write writes files, of which each name is followed by the content.
func write(t *testing.T, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Flux makes classes and teams of a repository, teams deploy from repositories of their own and
// get no further than their namespace, and Flux and tenama do not undo each other's work.
func TestFlux(t *testing.T) {
	t.Parallel()
	f := startFlux(t)
	for _, name := range []string{"source-controller", "kustomize-controller"} {
		out, err := exec.Command("go", "version", "-m", testenv.Bin("tools/"+name)).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "dep" && strings.HasSuffix(fields[1], "/"+name) ||
				len(fields) > 2 && fields[0] == "mod" && strings.HasSuffix(fields[1], "/"+name) {
				fmt.Printf("%s %s\n", fields[1], fields[2])
			}
		}
	}
	examples := filepath.Join(testenv.Root(), "examples")
	platform := t.TempDir()
	for to, from := range map[string]string{"classes": "teams", "teams": filepath.Join("flux", "teams")} {
		if err := os.CopyFS(filepath.Join(platform, to), os.DirFS(filepath.Join(examples, from))); err != nil {
			t.Fatal(err)
		}
	}
	edit(t, filepath.Join(platform, "classes", "class.yaml"), "https://git.example.com/", f.forge.URL+"/")
	f.forge.publish(t, "platform", os.DirFS(platform), "start")
	team := t.TempDir()
	write(t, team, "deploy/kustomization.yaml", emptyKustomization+"[settings.yaml]\n", "deploy/settings.yaml", settings)
	f.forge.publish(t, "teams/team-payments", os.DirFS(team), "start")
	manifest := strings.Replace(read(t, filepath.Join(examples, "flux", "flux.yaml")), "https://git.example.com/",
		f.forge.URL+"/", 1)
	if out, err := f.KubectlIn("admin", manifest, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}

	ready := `jsonpath={.status.conditions[?(@.type=="Ready")].status}`
	message := `jsonpath={.status.conditions[?(@.type=="Ready")].message}`
	f.until(t, "True", "get", "kustomization", "teams", "-n", "flux-system", "-o", ready)
	f.until(t, "True", "get", "kustomization", "team", "-n", "team-payments", "-o", ready)
	plan := []string{"get", "configmap", "settings", "-n", "team-payments", "-o", "jsonpath={.data.plan}"}
	if got := f.kubectl(t, plan...); got != "a" {
		t.Errorf("the team's settings are %q", got)
	}

	t.Run("a team in one commit", func(t *testing.T) {
		write(t, team, "deploy/settings.yaml", strings.Replace(settings, "plan: a", "plan: b", 1))
		f.forge.publish(t, "teams/team-search", os.DirFS(team), "start")
		f.forge.commit(t, "platform", func(dir string) {
			edit(t, filepath.Join(dir, "teams", "kustomization.yaml"), "payments.yaml", "payments.yaml, search.yaml")
			write(t, dir, "teams/search.yaml", strings.ReplaceAll(read(t, filepath.Join(dir, "teams", "payments.yaml")),
				"payments", "search"))
		})
		f.reconcile(t, "flux-system", "platform", "teams")
		f.until(t, "b", "get", "configmap", "settings", "-n", "team-search", "-o", "jsonpath={.data.plan}")
	})

	t.Run("a team stays in its namespace", func(t *testing.T) {
		for name, row := range map[string]struct{ manifest, want string }{
			"a role of the cluster": {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n",
				`clusterroles.rbac.authorization.k8s.io "all" is forbidden`},
			// The target namespace replaces those of the manifests, and the name of a Namespace.
			"another team's namespace": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: team-search}\n",
				""},
			"a namespace": {"apiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n",
				`namespaces "team-payments" is forbidden`},
			"a pod on the node's disk": {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, " +
				"image: c}], volumes: [{name: h, hostPath: {path: /}}]}\n", `violates PodSecurity "restricted`},
			"a privileged pod": {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: c, " +
				"securityContext: {privileged: true}}]}\n", `violates PodSecurity "restricted:latest": privileged`},
			"a pod without resources": {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {securityContext: " +
				"{runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: c, " +
				"securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}\n",
				"failed quota: team: must specify requests.cpu for: c"},
			"more than the quota": {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {securityContext: " +
				"{runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: c, " +
				"resources: {requests: {cpu: 17, memory: 1Gi}}, " +
				"securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}\n", "exceeded quota: team"},
			"a bigger quota": {"apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: team}\nspec: {hard: {pods: 900}}\n",
				`resourcequotas "team" is forbidden`},
			"rights of the cluster": {"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\n" +
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n" +
				"subjects: [{kind: ServiceAccount, name: reconciler, namespace: team-payments}]\n",
				"is attempting to grant RBAC permissions not currently held"},
		} {
			t.Run(name, func(t *testing.T) {
				f.forge.commit(t, "teams/team-payments", func(dir string) {
					write(t, dir, "deploy/kustomization.yaml", emptyKustomization+"[settings.yaml, more.yaml]\n", "deploy/more.yaml",
						row.manifest)
				})
				f.reconcile(t, "team-payments", "team", "team")
				commit := f.commitOf(t, "teams/team-payments")
				f.until(t, commit, "get", "kustomization", "team", "-n", "team-payments", "-o",
					"jsonpath={.status.lastAttemptedRevision}")
				if row.want == "" { // it is applied
					row.want = "Applied revision: main@sha1:" + commit
				}
				f.until(t, row.want, "get", "kustomization", "team", "-n", "team-payments", "-o", message)
				if out, err := f.Kubectl("admin", "get", "configmap", "x", "-n", "team-search"); err == nil {
					t.Errorf("it is in another team's namespace: %s", out)
				}
				t.Log(f.kubectl(t, "get", "kustomization", "team", "-n", "team-payments", "-o", message))
			})
		}
		f.forge.commit(t, "teams/team-payments", func(dir string) {
			write(t, dir, "deploy/kustomization.yaml", emptyKustomization+"[settings.yaml]\n")
		})
		f.reconcile(t, "team-payments", "team", "team")
		f.until(t, "True", "get", "kustomization", "team", "-n", "team-payments", "-o", ready)
	})

	t.Run("drift", func(t *testing.T) {
		// The broker's part: what the class says. Flux's part: what the repositories say.
		f.kubectl(t, "delete", "networkpolicy", "team", "-n", "team-payments")
		f.kubectl(t, "label", "--overwrite", "tns", "team-payments", "team=other")
		f.kubectl(t, "patch", "configmap", "settings", "-n", "team-payments", "-p", `{"data":{"plan":"zzz"}}`)
		f.reconcile(t, "flux-system", "platform", "teams")
		f.reconcile(t, "team-payments", "team", "team")
		f.until(t, "team", "get", "networkpolicy", "-n", "team-payments", "-o", "name")
		f.until(t, "payments", "get", "tns", "team-payments", "-o", "jsonpath={.metadata.labels.team}")
		f.until(t, "a", plan...)
	})

	t.Run("an extension by hand stays", func(t *testing.T) {
		end := func() string {
			return f.kubectl(t, "get", "tns", "tmp-demo", "-o", "jsonpath={.status.expirationTimestamp}")
		}
		f.kubectl(t, "tenama", "extend", "tmp-demo", "--by=3h", "--reason=the demo takes longer")
		extended := end()
		f.forge.commit(t, "platform", func(dir string) { // so that it is applied again
			edit(t, filepath.Join(dir, "teams", "demo.yaml"), "metadata: {name: tmp-demo}",
				"metadata: {name: tmp-demo, labels: {purpose: demo}}")
		})
		f.reconcile(t, "flux-system", "platform", "teams")
		f.until(t, "demo", "get", "tns", "tmp-demo", "-o", "jsonpath={.metadata.labels.purpose}")
		if got := end(); got != extended {
			t.Errorf("Flux changed the expiry from %s to %s", extended, got)
		}
		f.until(t, "the demo takes longer", "get", "tns", "tmp-demo", "-o", "jsonpath={.status.history[*].reason}")
	})

	// The team's Kustomization cannot delete what it applied if its account is deleted first
	// (fluxcd/flux2#997). The namespace must not hang because of that.
	t.Run("a team is removed", func(t *testing.T) {
		f.forge.commit(t, "platform", func(dir string) {
			edit(t, filepath.Join(dir, "teams", "kustomization.yaml"), "payments.yaml, ", "")
		})
		f.reconcile(t, "flux-system", "platform", "teams")
		f.until(t, "not found", "get", "ns", "team-payments")
		f.until(t, "True", "get", "kustomization", "teams", "-n", "flux-system", "-o", ready)
		got := f.kubectl(t, "get", "tns", "-o", "name")
		if strings.Contains(got, "payments") || !strings.Contains(got, "search") {
			t.Errorf("after that there are %s", got)
		}
	})
}
