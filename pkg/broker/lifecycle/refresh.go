// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// Refresh gives a namespace the objects that its class has now, and returns it
// with the amounts that it reserves from the budgets from then on; the caller writes
// it, with the revision. An increase must be admitted first, like a creation. Refresh
// also returns warnings for the user.
//
// It can be interrupted at any point. The record in the broker's binding is written
// first; from then on inspections apply the record and correct the reserved amounts.
// Errors: Invalid (the class differs in a field that is fixed at creation, or allows
// less than is in use), Forbidden (a budget is full), Conflict (the namespace was
// changed meanwhile), and those of kube-apiserver.
func (m *Manager) Refresh(ctx context.Context, ns *corev1.Namespace, class *policyv1alpha1.NamespaceClass,
	dryRun bool) (_ *corev1.Namespace, warnings []string, _ error) {
	manifests, err := m.refreshed(ctx, ns, class)
	if err != nil {
		return nil, nil, err
	}
	amounts := policyv1alpha1.Reserved(manifests.Objects)
	if ns, err = m.raise(ctx, ns, amounts, dryRun); err != nil || dryRun {
		return ns, nil, err
	}
	before, err := m.objectsOf(ctx, ns)
	if err != nil {
		return nil, nil, err
	}
	left, stay := guardrails.Prune(before, manifests.Objects)
	for _, id := range stay {
		warnings = append(warnings, fmt.Sprintf("%s is no longer part of the class, and remains in namespace %q",
			id, ns.Name))
	}
	forgotten, err := manifests.addLeft(left)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range forgotten {
		warnings = append(warnings, fmt.Sprintf("%s remains in namespace %q, and is no longer restored if it is changed: "+
			"the broker cannot record more objects", id, ns.Name))
	}
	if err := m.record(ctx, ns.Name, manifests.Raw); err != nil {
		return nil, nil, err
	}
	for _, obj := range manifests.Objects {
		kept, err := m.GuardRails.Replace(ctx, ns.Name, before[guardrails.Identity(obj)], obj)
		if err != nil {
			return nil, nil, err
		}
		if kept {
			warnings = append(warnings, fmt.Sprintf(
				"%s in namespace %q is no longer managed by the broker, and remains unchanged", guardrails.Identity(obj), ns.Name))
		}
	}
	ns = ns.DeepCopy()
	return ns, warnings, setReserved(ns, amounts)
}

// refreshed renders a class for a namespace that exists, if that can be done.
func (m *Manager) refreshed(ctx context.Context, ns *corev1.Namespace,
	class *policyv1alpha1.NamespaceClass) (*Manifests, error) {
	spec := field.NewPath("spec")
	invalid := func(err *field.Error) error {
		return apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name, field.ErrorList{err})
	}
	chosen, errs := class.Spec.Choose(v1alpha1.ParametersOf(ns), spec.Child("parameters"))
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name, errs)
	}
	values := policyv1alpha1.Given(ns.Name, v1alpha1.OwnerName(ns), chosen)
	if other, err := changedFixedFields(ns, class, values); err != nil {
		return nil, err
	} else if len(other) > 0 {
		return nil, invalid(field.Invalid(spec.Child("classRevision"), class.Status.Revision,
			fmt.Sprintf("class %q now has another %s, which is fixed at the creation of a namespace: create a new one",
				class.Name, strings.Join(other, ", "))))
	}
	manifests, err := m.Render(class, values)
	if err != nil {
		return nil, err
	}
	if why, err := m.GuardRails.InUse(ctx, ns.Name, manifests.Objects); err != nil {
		return nil, err
	} else if why != "" {
		return nil, invalid(field.Forbidden(spec.Child("classRevision"), why))
	}
	return manifests, nil
}

// objectsOf returns the recorded objects of a namespace, by identity.
func (m *Manager) objectsOf(ctx context.Context, ns *corev1.Namespace) (map[string]runtime.Object, error) {
	recorded, err := m.recorded(ctx, ns)
	if err != nil {
		return nil, err
	}
	objs, err := policyv1alpha1.DecodeGuardRails(recorded, m.GuardRails.Kinds)
	if err != nil {
		return nil, fmt.Errorf("read the recorded guard rails of namespace %q: %w", ns.Name, err)
	}
	out := map[string]runtime.Object{}
	for _, obj := range objs {
		out[guardrails.Identity(obj)] = obj
	}
	return out, nil
}

// record writes the objects of a namespace into the broker's binding.
func (m *Manager) record(ctx context.Context, ns string, objects []runtime.RawExtension) error {
	b, err := json.Marshal(objects)
	if err != nil {
		return fmt.Errorf("encode the guard rails of %q: %w", ns, err)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationGuardRails: string(b)}}})
	if err != nil {
		return err
	}
	err = guardrails.RetryForbidden(ctx, func() error {
		_, err := m.Client.RbacV1().RoleBindings(ns).Patch(ctx, v1alpha1.RoleBindingBroker, types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: v1alpha1.ManagedBy})
		return err
	})
	if err != nil {
		return fmt.Errorf("record the guard rails of %q: %w", ns, err)
	}
	return nil
}

// changedFixedFields lists the fields of a class that differ from the namespace and
// that no refresh can change, because the containment policy forbids it.
func changedFixedFields(ns *corev1.Namespace, class *policyv1alpha1.NamespaceClass,
	given policyv1alpha1.Values) ([]string, error) {
	var out []string
	a := ns.Annotations
	access := ""
	if class.Spec.NetworkPolicyAccess == policyv1alpha1.NetworkPolicyReadWrite {
		access = string(policyv1alpha1.NetworkPolicyReadWrite)
	}
	for _, f := range []struct{ what, was, is string }{
		{"ownerRole", a[v1alpha1.AnnotationOwnerRole], class.Spec.OwnerRole},
		{"podSecurity", a[v1alpha1.AnnotationPodSecurity], string(class.Spec.PodSecurity)},
		{"userKeys", a[v1alpha1.AnnotationUserKeys], strings.Join(class.Spec.UserKeys, ",")},
		{"networkPolicyAccess", a[v1alpha1.AnnotationNetworkPolicyAccess], access},
	} {
		if f.was != f.is {
			out = append(out, f.what)
		}
	}
	labels, err := class.Spec.Labels(given)
	if err != nil {
		return nil, err
	}
	annotations, err := class.Spec.Annotations(given)
	if err != nil {
		return nil, err
	}
	differ := func(want, have map[string]string) bool {
		for k, v := range want {
			if have[k] != v {
				return true
			}
		}
		return false
	}
	if differ(labels, ns.Labels) {
		out = append(out, "namespaceLabels")
	}
	if differ(annotations, ns.Annotations) {
		out = append(out, "namespaceAnnotations")
	}
	return out, nil
}
