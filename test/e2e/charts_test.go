// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tenama.dev/tenama/test/testenv"
)

// Charts set requests, limits, both or none; they add sidecars, and roll out with a surge.
// A default class that refuses one of these habits, or stops at fewer pods than its quota
// names, refuses software that runs everywhere else. The pods are created by the real
// controllers.
func TestChartHabits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replicas   int
		containers string
		surge      bool
	}{
		"requests only": {2, `{name: c, image: c, resources: {requests: {cpu: "2", memory: 4Gi}}}`, false},
		"much memory":   {1, `{name: c, image: c, resources: {requests: {memory: 8Gi}}}`, false},
		"limits only":   {5, `{name: c, image: c, resources: {limits: {cpu: 500m, memory: 1Gi}}}`, true},
		"both": {10, `{name: c, image: c, resources: {requests: {cpu: 100m, memory: 256Mi}, limits: {cpu: "4", ` +
			`memory: 4Gi}}}`, true},
		"none":     {40, "{name: c, image: c}", true},
		"the most": {50, "{name: c, image: c}", false},
		"sidecars": {12, "{name: c, image: c}, {name: proxy, image: p, resources: {requests: {cpu: 100m}}}, " +
			"{name: log, image: l, resources: {limits: {memory: 64Mi}}}", true},
		"scratch space": {4, `{name: c, image: c, resources: {requests: {ephemeral-storage: 4Gi}}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tn := borrow(t, user(t, "alice"), unique("chart"), time.Hour)
			apply := func(image string) {
				t.Helper()
				manifest := fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: w}, spec: {replicas: %d, "+
					"selector: {matchLabels: {app: w}}, template: {metadata: {labels: {app: w, image: %s}}, spec: {containers: "+
					"[%s]}}}}", c.replicas, image, c.containers)
				if out, err := shared.KubectlIn("alice", manifest, "-n", tn.Name, "apply", "-f", "-"); err != nil {
					t.Fatal(out)
				}
			}
			pods := func(want int) {
				t.Helper()
				if err := testenv.Eventually(time.Minute, func() error {
					out, err := shared.Kubectl("alice", "-n", tn.Name, "get", "pods", "-o", "name")
					if got := len(strings.Fields(out)); err != nil || got < want {
						why, _ := shared.Kubectl("alice", "-n", tn.Name, "get", "replicasets", "-o",
							"jsonpath={.items[*].status.conditions[*].message}")
						return fmt.Errorf("%d pods, want %d: %s", got, want, why)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
			apply("first")
			pods(c.replicas)
			if c.surge { // no pod becomes ready without a kubelet, so the old ones stay
				apply("second")
				pods(c.replicas + (c.replicas+3)/4)
			}
		})
	}
}

// GPUs and claims of devices are not part of a default namespace.
func TestNoDevices(t *testing.T) {
	t.Parallel()
	tn := borrow(t, user(t, "alice"), unique("devices"), time.Hour)
	gpu := "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: c, resources: " +
		"{limits: {nvidia.com/gpu: 1}}}]}}"
	claim := "{apiVersion: resource.k8s.io/v1, kind: ResourceClaim, metadata: {name: c}, spec: {devices: {}}}"
	for _, manifest := range []string{gpu, claim} {
		out, err := shared.KubectlIn("alice", manifest, "-n", tn.Name, "create", "-f", "-")
		if err == nil || !strings.Contains(out, "exceeded quota: tenama") {
			t.Errorf("%s: %v, %s", manifest, err, out)
		}
	}
}
