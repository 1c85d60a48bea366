// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// Common tools must work in a temporary namespace, both with the default class and with
// a class that lets tenants write network policies.
func TestOrdinaryUse(t *testing.T) {
	for _, class := range []struct{ name, policies string }{{"default", "false"}, {"open-network", "true"}} {
		t.Run(class.name, func(t *testing.T) {
			if class.name != "default" {
				manifest := "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceClass\nmetadata: {name: " + class.name +
					"}\nspec: {lifetime: {defaultTTLSeconds: 600, maximumTTLSeconds: 600}, networkPolicyAccess: ReadWrite}\n"
				if out, err := shared.KubectlIn("admin", manifest, "apply", "-f", "-"); err != nil {
					t.Fatal(out)
				}
			}
			tn := tns(unique("tenant"), 10*time.Minute)
			tn.Spec.ClassName = class.name
			alice := user(t, "alice")
			if err := testenv.Eventually(60*time.Second, func() error { // the class is new to the broker
				_, err := alice.Create(t.Context(), tn, metav1.CreateOptions{})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			kubectl := func(args ...string) {
				t.Helper()
				if out, err := shared.Kubectl("alice", append([]string{"-n", tn.Name}, args...)...); err != nil ||
					strings.Contains(out, "Warning") {
					t.Errorf("kubectl %s: %s", strings.Join(args, " "), out)
				}
			}
			helm := func(args ...string) (string, error) {
				home := t.TempDir()
				cmd := exec.Command(testenv.Bin("tools/helm"), append(args, "-n", tn.Name)...)
				cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig("alice"), "HOME="+home, "XDG_CACHE_HOME="+home,
					"XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			for _, args := range [][]string{
				{"install", "app", "testdata/chart", "--set", "networkPolicy=" + class.policies},
				{"upgrade", "app", "testdata/chart", "--set", "networkPolicy=" + class.policies},
				{"rollback", "app", "1"}, {"list"}, {"uninstall", "app"},
			} {
				if out, err := helm(args...); err != nil {
					t.Fatalf("helm %s: %s", strings.Join(args, " "), out)
				}
			}
			if class.policies == "false" { // one clear line, and nothing that uninstall cannot remove
				out, err := helm("install", "app", "testdata/chart", "--set", "networkPolicy=true")
				const want = "the class of this namespace does not allow tenants to write network policies"
				if err == nil || !strings.Contains(out, want) {
					t.Errorf("a chart with a network policy: %s", out)
				}
				if out, err := helm("uninstall", "app"); err != nil {
					t.Error(out)
				}
			}
			kubectl("apply", "-k", filepath.Join("testdata", "app"))
			kubectl("apply", "--server-side", "--force-conflicts", "-k", filepath.Join("testdata", "app"))
			kubectl("rollout", "restart", "deployment/web")
			kubectl("scale", "deployment/web", "--replicas=3")
			kubectl("set", "image", "deployment/web", "web=other")
			kubectl("create", "job", "once", "--image=x")
			if err := testenv.Eventually(60*time.Second, func() error { // by the controllers, under the same policies
				out, err := shared.Kubectl("alice", "-n", tn.Name, "get", "pods", "-o", "name")
				if err != nil || !strings.Contains(out, "pod/web-") || !strings.Contains(out, "pod/once-") {
					return errOf(out)
				}
				return nil
			}); err != nil {
				t.Errorf("no pods of the Deployment and the Job: %v", err)
			}
			kubectl("run", "shell", "--image=x")
			kubectl("create", "token", "default")
			kubectl("create", "rolebinding", "mates", "--clusterrole=view", "--group=ops")
			for _, right := range [][]string{
				{"get", "pods/log"}, {"create", "pods/exec"}, {"create", "pods/portforward"}, {"create", "pods/attach"},
				{"update", "pods/ephemeralcontainers"}, {"create", "persistentvolumeclaims"}, {"get", "resourcequotas"},
				{"get", "events"},
			} {
				kubectl(append([]string{"auth", "can-i"}, right...)...)
			}
			kubectl("delete", "-k", filepath.Join("testdata", "app"))
		})
	}
}

// Labels and annotations must reach the Namespace only if the class lists them, also in
// later changes; those that others set there must stay.
func TestUserKeys(t *testing.T) {
	ctx := t.Context()
	class := "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceClass\nmetadata: {name: keyed}\nspec: {lifetime: " +
		"{defaultTTLSeconds: 600, maximumTTLSeconds: 600}, userKeys: [team, cost.example.test/*], namespaceLabels: " +
		"{tier: free}}\n"
	if out, err := shared.KubectlIn("admin", class, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	alice := user(t, "alice")
	make := func(class string, labels, annotations map[string]string) string {
		t.Helper()
		tn := tns(unique("keys"), 10*time.Minute)
		tn.Spec.ClassName, tn.Labels, tn.Annotations = class, labels, annotations
		if err := testenv.Eventually(60*time.Second, func() error {
			_, err := alice.Create(ctx, tn, metav1.CreateOptions{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return tn.Name
	}
	check := func(name string, want map[string]string) {
		t.Helper()
		ns := namespace(t, admin(), name)
		for k, v := range want {
			if got := ns.Labels[k]; got != v {
				t.Errorf("%s: label %q is %q, want %q", name, k, got, v)
			}
			if got := ns.Annotations[k]; got != v && k != "tier" {
				t.Errorf("%s: annotation %q is %q, want %q", name, k, got, v)
			}
		}
	}
	all := map[string]string{
		"user.tenama.dev/a": "1", "team": "x", "cost.example.test/centre": "7", "istio-injection": "enabled", "tier": "pro",
	}
	check(make("default", all, all), map[string]string{
		"user.tenama.dev/a": "1", "team": "", "cost.example.test/centre": "", "istio-injection": "", "tier": "",
	})
	name := make("keyed", all, all)
	check(name, map[string]string{
		"user.tenama.dev/a": "", "team": "x", "cost.example.test/centre": "7", "istio-injection": "", "tier": "free",
	})

	// An operator's label, followed by a change of the user.
	if out, err := shared.Kubectl("admin", "label", "namespace", name, "mesh=on"); err != nil {
		t.Fatal(out)
	}
	for _, args := range [][]string{
		{"label", "tns", name, "--overwrite", "team=y", "cost.example.test/centre-", "sidecar.istio.io/inject=true"},
		{"annotate", "tns", name, "--overwrite", "team=y", "cost.example.test/centre-"},
	} {
		if out, err := shared.Kubectl("alice", args...); err != nil {
			t.Fatal(out)
		}
	}
	check(name, map[string]string{"team": "y", "cost.example.test/centre": "", "sidecar.istio.io/inject": ""})
	if got := namespace(t, admin(), name).Labels["mesh"]; got != "on" {
		t.Errorf("the operator's label is %q", got)
	}

	for what, spec := range map[string]string{
		"reserved":              "userKeys: [istio.kubernetes.io/x]",
		"reserved, except for":  "userKeys: ['tenama.dev/*']",
		"should match":          "userKeys: ['*']",
		"which namespaceLabels": "userKeys: ['a.test/*'], namespaceLabels: {a.test/x: z}",
	} {
		manifest := "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceClass\nmetadata: {name: badkeys}\nspec: " +
			"{lifetime: {defaultTTLSeconds: 600, maximumTTLSeconds: 600}, " + spec + "}\n"
		out, err := shared.KubectlIn("admin", manifest, "apply", "-f", "-")
		if err == nil { // the condition reports problems that the definition cannot detect
			err := testenv.Eventually(60*time.Second, func() error {
				out, _ = shared.Kubectl("admin", "get", "namespaceclass", "badkeys", "-o",
					"jsonpath={.status.conditions[0].message}")
				if !strings.Contains(out, what) {
					return errOf(out)
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", spec, err)
			}
			_, _ = shared.Kubectl("admin", "delete", "namespaceclass", "badkeys")
		} else if !strings.Contains(out, what) {
			t.Errorf("%s: %s", spec, out)
		}
	}
}
