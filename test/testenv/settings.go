// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// InstallWith installs tenama as examples/README.md describes: with the prefixes tmp-, cust-,
// team- and more, and with kinds beyond guard rails, after the definitions in the manifest crds.
// The changed manifests are in dir. It returns the flags of the broker.
func (c *Cluster) InstallWith(dir, crds string, more ...string) ([]string, error) {
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(c.Deploy)); err != nil {
		return nil, err
	}
	settings := filepath.Join(dir, "deploy", "components", "settings", "settings.yaml")
	b, err := os.ReadFile(settings)
	if err != nil {
		return nil, err
	}
	prefixes := strings.Join(append([]string{"tmp-,cust-,team-"}, more...), ",")
	changed := strings.Replace(string(b), "prefix: tmp-\n", "prefix: "+prefixes+"\n", 1)
	if changed == string(b) {
		return nil, errors.New("settings.yaml has no prefix to change")
	}
	overlay := filepath.Join(dir, "overlay")
	for path, text := range map[string]string{
		settings: changed,
		filepath.Join(overlay, "kustomization.yaml"): "resources: [../deploy/overlays/local]\n" +
			"components: [../deploy/components/kinds]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if crds != "" {
		if out, err := c.KubectlIn("admin", crds, "apply", "-f", "-"); err != nil {
			return nil, errors.New(out)
		}
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "--force-conflicts", "-k", overlay},
		{"wait", "--for=condition=Established", "crd", "--all"},
	} {
		if out, err := c.Kubectl("admin", args...); err != nil {
			return nil, errors.New(out)
		}
	}
	kinds, err := os.ReadFile(filepath.Join(c.Deploy, "components", "kinds", "kinds.yaml"))
	if err != nil {
		return nil, err
	}
	var cm struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(kinds, &cm); err != nil || cm.Data["kinds"] == "" {
		return nil, fmt.Errorf("kinds.yaml: %w", err)
	}
	return []string{"--prefix=" + prefixes, "--object-kinds=" + cm.Data["kinds"]}, nil
}
