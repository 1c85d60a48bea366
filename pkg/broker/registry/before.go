// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Agent is the user agent of the broker. kube-apiserver keeps what it creates under that
// name (managedFields), and what it patches under managedBy.
const Agent = "tenama-broker"

// quotaBefore is what a quota may have of the broker, and so what is to be taken away
// where want has it no more. The record does not tell that when a refresh is repeated
// that was interrupted: it has recorded what is to be already. kube-apiserver knows which
// keys the broker wrote (managedFields, KEP-555); one that is to be empty loses all.
func quotaBefore(was runtime.Object, want *corev1.ResourceQuota, have runtime.Object) (runtime.Object, error) {
	h, ok := have.(*corev1.ResourceQuota)
	if !ok {
		return nil, fmt.Errorf("compare %s: it is a %T", identity(want), have)
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
		if entry.FieldsV1 == nil || entry.Manager != managedBy && entry.Manager != Agent {
			continue
		}
		var wrote struct {
			Spec struct {
				Hard map[string]any `json:"f:hard"`
			} `json:"f:spec"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &wrote); err != nil {
			return nil, fmt.Errorf("read who wrote %s: %w", identity(want), err)
		}
		for k, v := range h.Spec.Hard {
			if _, ours := wrote.Spec.Hard["f:"+string(k)]; ours {
				before.Spec.Hard[k] = v
			}
		}
	}
	return before, nil
}
