// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

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
func widened(t *testing.T, c *testenv.Cluster, more ...string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(c.Deploy)); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "deploy", "components", "settings", "settings.yaml")
	b, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	prefixes := strings.Join(append([]string{"tmp-,cust-,team-"}, more...), ",")
	changed := strings.Replace(string(b), "prefix: tmp-\n", "prefix: "+prefixes+"\n", 1)
	if changed == string(b) {
		t.Fatal("settings.yaml has no prefix to change")
	}
	overlay := filepath.Join(dir, "overlay")
	for path, text := range map[string]string{
		settings: changed,
		filepath.Join(overlay, "kustomization.yaml"): "resources: [../deploy/overlays/local]\n" +
			"components: [../deploy/components/kinds]\n",
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
	kinds, err := os.ReadFile(filepath.Join(c.Deploy, "components", "kinds", "kinds.yaml"))
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

// kubectlAs runs kubectl as a user in a group.
func kubectlAs(t *testing.T, c *testenv.Cluster, user, group string, args ...string) (string, error) {
	t.Helper()
	return c.Kubectl("admin",
		append(args, "--as="+user, "--as-group="+group, "--as-group=system:authenticated",
			fmt.Sprintf("--request-timeout=%s", time.Minute))...)
}
