// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"tenama.dev/tenama/api/v1alpha1"
)

// withOwnedKeys returns a quota as the broker may have written it before: was, and
// the keys of have that the broker owns (managedFields, KEP-555). was alone does not
// say which keys there are to remove when an interrupted refresh is repeated, because
// the record is written first. A quota that is to be empty loses all its keys.
func withOwnedKeys(was runtime.Object, want *corev1.ResourceQuota, have runtime.Object) (runtime.Object, error) {
	h, ok := have.(*corev1.ResourceQuota)
	if !ok {
		return nil, fmt.Errorf("compare %s: unexpected type %T", Identity(want), have)
	}
	before := want.DeepCopy()
	if w, ok := was.(*corev1.ResourceQuota); ok {
		before = w.DeepCopy()
	}
	if len(want.Spec.Hard) == 0 {
		before.Spec = *h.Spec.DeepCopy()
		return before, nil
	}
	if before.Spec.Hard == nil {
		before.Spec.Hard = corev1.ResourceList{}
	}
	for _, entry := range h.ManagedFields {
		if entry.FieldsV1 == nil || entry.Manager != v1alpha1.ManagedBy && entry.Manager != Agent {
			continue
		}
		var wrote struct {
			Spec struct {
				Hard map[string]any `json:"f:hard"`
			} `json:"f:spec"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &wrote); err != nil {
			return nil, fmt.Errorf("read the managed fields of %s: %w", Identity(want), err)
		}
		for k, v := range h.Spec.Hard {
			if _, ours := wrote.Spec.Hard["f:"+string(k)]; ours {
				before.Spec.Hard[k] = v
			}
		}
	}
	return before, nil
}
