// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

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

// widened installs tenama as examples/README.md describes. It returns the flags of its broker.
func widened(t *testing.T, c *testenv.Cluster, more ...string) []string {
	t.Helper()
	flags, err := c.InstallWith(t.TempDir(), fluxKinds, more...)
	if err != nil {
		t.Fatal(err)
	}
	return flags
}

// kubectlAs runs kubectl as a user in a group.
func kubectlAs(t *testing.T, c *testenv.Cluster, user, group string, args ...string) (string, error) {
	t.Helper()
	return c.Kubectl("admin",
		append(args, "--as="+user, "--as-group="+group, "--as-group=system:authenticated",
			fmt.Sprintf("--request-timeout=%s", time.Minute))...)
}
