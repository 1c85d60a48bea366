// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Authentication writes examples/pipelines/authentication.yaml to dir, with issuers instead of
// those whose URLs it names, and returns the path for --authentication-config of kube-apiserver.
func Authentication(dir string, issuers map[string]*Issuer) (string, error) {
	b, err := os.ReadFile(filepath.Join(Root(), "examples", "pipelines", "authentication.yaml"))
	if err != nil {
		return "", err
	}
	var config struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		JWT        []map[string]any `json:"jwt"`
	}
	if err := yaml.UnmarshalStrict(b, &config); err != nil {
		return "", err
	}
	if os.Getenv("KUBERNETES") == "oldest" {
		config.APIVersion = "apiserver.config.k8s.io/v1beta1"
	}
	for _, jwt := range config.JWT {
		of := jwt["issuer"].(map[string]any)
		i := issuers[of["url"].(string)]
		if i == nil {
			return "", fmt.Errorf("the example has an unknown issuer %v", of["url"])
		}
		of["url"], of["certificateAuthority"] = i.URL, i.CA
	}
	if b, err = yaml.Marshal(config); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "authentication.yaml")
	return file, os.WriteFile(file, b, 0o600)
}
