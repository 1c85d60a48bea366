// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"strings"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// room sets how many namespaces the budget small allows.
func (s *site) room(n string) {
	s.Helper()
	s.kubectl("", "patch", "nsbudget", "small", "--type=merge", "-p",
		`{"spec":{"total":{"count/temporarynamespaces":"`+n+`"}}}`)
}

// driftLoop has an administrator's program delete the quotas of 25 namespaces.
func driftLoop(s *site) {
	for i := range 25 {
		s.must(fmt.Sprintf("tmp-drift-%d", i), "default", time.Hour)
	}
	for i := range 25 {
		s.kubectl("", "delete", "resourcequota", "tenama", "-n", fmt.Sprintf("tmp-drift-%d", i))
	}
}

// driftRefused changes a limit range, and has a policy of the cluster reject that the broker
// restores it.
func driftRefused(s *site) {
	s.kubectl(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: frozen}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [limitranges]}
  validations: [{expression: "!request.userInfo.username.endsWith(':tenama-broker')"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: frozen}
spec: {policyName: frozen, validationActions: [Deny]}
`, "create", "-f", "-")
	if err := testenv.Eventually(60*time.Second, func() error { // until the policy is in force, it is restored
		s.kubectl("", "patch", "limitrange", "tenama", "-n", "tmp-drift-1", "--type=json", "-p",
			`[{"op":"replace","path":"/spec/limits/0/max/cpu","value":"64"}]`)
		time.Sleep(time.Second)
		out, err := s.shell("cat " + s.brokers[0].Log + " " + s.brokers[1].Log + ` | grep '"became":"refused"'`)
		if err != nil {
			return fmt.Errorf("no drift was refused: %s", out)
		}
		return nil
	}); err != nil {
		s.Fatal(err)
	}
}

// configMaps creates some in a namespace.
func (s *site) configMaps(ns string, from, to int) {
	s.Helper()
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d, namespace: %s}\n", i, ns)
	}
	s.kubectl(b.String(), "create", "-f", "-")
}
