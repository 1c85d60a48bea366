// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// usage is the amounts that one namespace reserves from the budgets.
type usage struct {
	name     string
	uid      types.UID
	owner    string
	groups   []string
	class    string
	reserved corev1.ResourceList
	rejected bool
	expires  time.Time // zero: never
	deleted  time.Time // when its deletion began; zero: it is not being deleted
	heldBy   string    // the finalizers that its deletion waits for, as Kubernetes reports them

	fits   bool // all namespaces fitted at the event that created or increased this one
	listed bool // created or increased by a list: its position in the order is unknown

	waitsFor []limitKey // while it is queued
}

// usageOf reads the usage of a namespace from its annotations. A namespace that was
// created before amounts were recorded counts only as one namespace.
func usageOf(ns *corev1.Namespace) *usage {
	a := ns.Annotations
	u := &usage{
		name: ns.Name, uid: ns.UID, owner: a[v1alpha1.AnnotationOwner], class: ns.Labels[v1alpha1.LabelClass],
		rejected: a[v1alpha1.AnnotationRefused] != "",
	}
	if ns.DeletionTimestamp != nil {
		u.deleted, u.heldBy = ns.DeletionTimestamp.Time, heldBy(ns)
	}
	_ = json.Unmarshal([]byte(a[v1alpha1.AnnotationGroups]), &u.groups)
	if json.Unmarshal([]byte(a[v1alpha1.AnnotationReserved]), &u.reserved) != nil || u.reserved == nil {
		u.reserved = corev1.ResourceList{}
	}
	u.reserved[policyv1alpha1.ResourceTemporaryNamespaces] = resource.MustParse("1")
	if life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err == nil && !v1alpha1.OnHold(ns) {
		created := ns.CreationTimestamp.Time
		if created.IsZero() { // it is about to be
			created = time.Now()
		}
		u.expires = life.Expiry(created)
	}
	return u
}

// maxShared bounds the number of different amounts that are shared.
const maxShared = 1000

// shared is usageOf, with the amounts in common with all namespaces that have the same ones,
// as those of a class do: a map of ten quantities takes several KiB.
func (t *Tracker) shared(ns *corev1.Namespace) *usage {
	u := usageOf(ns)
	key := ns.Annotations[v1alpha1.AnnotationReserved]
	if same, ok := t.amounts[key]; ok {
		u.reserved = same
		return u
	}
	if len(t.amounts) >= maxShared { // of classes and parameters that are long gone
		clear(t.amounts)
	}
	t.amounts[key] = u.reserved
	return u
}

// heldBy returns the finalizers that the deletion of a namespace waits for; empty if
// Kubernetes reports none.
func heldBy(ns *corev1.Namespace) string {
	for _, c := range ns.Status.Conditions {
		if c.Type == corev1.NamespaceFinalizersRemaining && c.Status == corev1.ConditionTrue {
			_, finalizers, _ := strings.Cut(c.Message, ": ") // namespaced_resources_deleter.go of Kubernetes
			return strings.TrimSpace(finalizers)
		}
	}
	return ""
}

// terminating reports whether the namespace is being deleted.
func (u *usage) terminating() bool { return !u.deleted.IsZero() }

// increased reports whether u reserves more of any resource than before.
func (u *usage) increased(before *usage) bool {
	for k, v := range u.reserved {
		if v.Cmp(before.reserved[k]) > 0 {
			return true
		}
	}
	return before.rejected && !u.rejected
}

// increase returns the amounts that u reserves in addition to before.
func (u *usage) increase(before *usage) corev1.ResourceList {
	out := corev1.ResourceList{}
	for k, v := range u.reserved {
		if was := before.reserved[k]; v.Cmp(was) > 0 {
			v = v.DeepCopy()
			v.Sub(was)
			out[k] = v
		}
	}
	return out
}
