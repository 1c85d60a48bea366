// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// Manifests are the objects that a class puts into a namespace: as they are
// recorded, and decoded.
type Manifests struct {
	Raw     []runtime.RawExtension
	Objects []runtime.Object
}

// Render fills the objects of a class in for one namespace.
func (m *Manager) Render(class *policyv1alpha1.NamespaceClass, values policyv1alpha1.Values) (*Manifests, error) {
	raw, err := class.Spec.Expand(values)
	if err != nil {
		return nil, fmt.Errorf("fill in class %q: %w", class.Name, err)
	}
	objs, err := policyv1alpha1.DecodeGuardRails(raw, m.GuardRails.Kinds)
	if err != nil {
		return nil, fmt.Errorf("decode class %q: %w", class.Name, err)
	}
	return &Manifests{raw, objs}, nil
}

// addLeft adds objects that a class no longer contains. It returns the identities of
// those that cannot be recorded, because the record would become too large: such a
// record could not be read.
func (m *Manifests) addLeft(left []runtime.Object) (forgotten []string, _ error) {
	size := 0
	for _, raw := range m.Raw {
		size += len(raw.Raw)
	}
	for _, obj := range left {
		b, err := guardrails.Manifest(obj)
		if err != nil {
			return nil, err
		}
		m.Objects = append(m.Objects, obj)
		if size += len(b); size > policyv1alpha1.MaxObjectsBytes {
			size -= len(b)
			forgotten = append(forgotten, guardrails.Identity(obj))
			continue
		}
		m.Raw = append(m.Raw, runtime.RawExtension{Raw: b})
	}
	return forgotten, nil
}

// Values returns the values of $(NAME) in the objects of the class of ns.
func Values(ns *corev1.Namespace) policyv1alpha1.Values {
	return policyv1alpha1.Given(ns.Name, v1alpha1.OwnerName(ns), v1alpha1.ParametersOf(ns))
}
