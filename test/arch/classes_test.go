// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// A class must admit as many pods as its quota names, with default requests, and a pod as
// large as the quota. A default limit is the maximum of a pod that states requests only,
// and a quota on limits counts the maximum of a pod that states none.
func TestNumbersOfClasses(t *testing.T) {
	for _, f := range []string{
		"deploy/classes/default.yaml", "examples/tiers/freemium.yaml", "examples/tiers/pro.yaml",
		"examples/tiers/enterprise.yaml", "examples/teams/class.yaml",
	} {
		b, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			t.Fatal(err)
		}
		var class struct {
			Spec struct {
				Objects []json.RawMessage `json:"objects"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(bytes.ReplaceAll(b, []byte("$(size)"), []byte("8")), &class); err != nil {
			t.Fatal(err)
		}
		var quota corev1.ResourceQuota
		var limits corev1.LimitRange
		for _, o := range class.Spec.Objects {
			for kind, into := range map[string]any{"ResourceQuota": &quota, "LimitRange": &limits} {
				if bytes.Contains(o, []byte(`"kind":"`+kind+`"`)) {
					if err := json.Unmarshal(o, into); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if len(limits.Spec.Limits) != 1 || len(limits.Spec.Limits[0].Default) > 0 {
			t.Errorf("%s: want one LimitRangeItem, without default limits: %+v", f, limits.Spec.Limits)
			continue
		}
		item := limits.Spec.Limits[0]
		for k := range quota.Spec.Hard {
			resource, requests := strings.CutPrefix(string(k), "requests.")
			if strings.HasPrefix(string(k), "limits.") {
				t.Errorf("%s: the quota has %s", f, k)
			}
			one, ok := item.DefaultRequest[corev1.ResourceName(resource)]
			if !requests || !ok {
				continue
			}
			hard, all := quota.Spec.Hard[k], one.DeepCopy()
			if all.Mul(quota.Spec.Hard.Pods().Value()); all.Cmp(hard) > 0 {
				t.Errorf("%s: %s pods with the default request of %s take %s, but %s is %s", f,
					quota.Spec.Hard.Pods(), one.String(), all.String(), k, hard.String())
			}
		}
	}
}
