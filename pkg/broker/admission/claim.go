// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// claim is the amounts that one namespace reserves from the budgets.
type claim struct {
	name     string
	uid      types.UID
	owner    string
	groups   []string
	class    string
	reserved corev1.ResourceList
	refused  bool
	ending   bool
	expires  time.Time // zero: never

	fits   bool // all claims fitted at the event that created or increased this one
	listed bool // created or increased by a list: its position in the order is unknown

	waitsFor []shortage // while it is queued
}

// claimOf reads the claim of a namespace from its annotations. A namespace that was
// created before amounts were recorded counts only as one namespace.
func claimOf(ns *corev1.Namespace) *claim {
	a := ns.Annotations
	c := &claim{
		name: ns.Name, uid: ns.UID, owner: a[v1alpha1.AnnotationOwner], class: ns.Labels[v1alpha1.LabelClass],
		refused: a[v1alpha1.AnnotationRefused] != "", ending: ns.DeletionTimestamp != nil,
	}
	_ = json.Unmarshal([]byte(a[v1alpha1.AnnotationGroups]), &c.groups)
	if json.Unmarshal([]byte(a[v1alpha1.AnnotationReserved]), &c.reserved) != nil || c.reserved == nil {
		c.reserved = corev1.ResourceList{}
	}
	c.reserved[policyv1alpha1.ResourceTemporaryNamespaces] = resource.MustParse("1")
	if life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err == nil && !ns.CreationTimestamp.IsZero() {
		c.expires = life.Expiry(ns.CreationTimestamp.Time)
	}
	return c
}

// grew reports whether c reserves more of any resource than before.
func (c *claim) grew(before *claim) bool {
	for k, v := range c.reserved {
		if v.Cmp(before.reserved[k]) > 0 {
			return true
		}
	}
	return before.refused && !c.refused
}

// beyond returns the amounts that c reserves in addition to before.
func (c *claim) beyond(before *claim) corev1.ResourceList {
	out := corev1.ResourceList{}
	for k, v := range c.reserved {
		if was := before.reserved[k]; v.Cmp(was) > 0 {
			v = v.DeepCopy()
			v.Sub(was)
			out[k] = v
		}
	}
	return out
}
