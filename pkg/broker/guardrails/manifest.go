// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"encoding/json"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Manifest returns the JSON document by which an object is applied. Lists that are
// empty on purpose are written out, because an empty list is how a network policy
// denies.
func Manifest(want runtime.Object) ([]byte, error) {
	want = want.DeepCopyObject()
	m := metaOf(want)
	m.SetLabels(withOwnLabels(m.GetLabels()))
	np, isPolicy := want.(*networkingv1.NetworkPolicy)
	if isPolicy { // a policy type that is not written is not owned, and would stay as another manager set it
		np.Spec = *withDefaults(np.Spec)
	}
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
	if err != nil {
		return nil, fmt.Errorf("encode %T %q: %w", want, m.GetName(), err)
	}
	delete(out, "status")
	if meta, ok := out["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
	}
	if isPolicy {
		spec := out["spec"].(map[string]any)
		for _, t := range np.Spec.PolicyTypes {
			field := map[networkingv1.PolicyType]string{networkingv1.PolicyTypeIngress: "ingress",
				networkingv1.PolicyTypeEgress: "egress"}[t]
			if _, set := spec[field]; !set && field != "" {
				spec[field] = []any{}
			}
		}
	}
	return json.Marshal(out)
}
