// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// Inspect compares the guard rails of a namespace with their record, and restores
// those that are missing or differ. Tenants cannot change guard rails, so a user with
// more rights made the change; an Event in the namespace reports it.
//
// An object from which the label tenama.dev/managed was removed is left alone. So
// is the owner's binding: an administrator removes it to lock an owner out.
func (m *Manager) Inspect(ctx context.Context, name string) error {
	ns := m.Cache.Get(name)
	if ns == nil || !v1alpha1.IsManaged(ns) || ns.DeletionTimestamp != nil || m.Contained() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	err := errors.Join(m.inspectPodSecurity(ctx, ns), m.inspectAccess(ctx, ns))
	raw, unknown := m.recorded(ctx, ns)
	if unknown != nil {
		return errors.Join(err, unknown)
	}
	objs, unreadable := policyv1alpha1.DecodeGuardRails(raw, m.GuardRails.Kinds)
	err = errors.Join(err, unreadable)
	for _, want := range objs {
		err = errors.Join(err, m.inspectObject(ctx, ns, want))
	}
	if err == nil && len(raw) > 0 {
		err = m.inspectReserved(ctx, ns, objs)
	}
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil // the namespace was deleted meanwhile
	}
	return err
}

// recorded returns the objects that the namespace was created with. The broker's
// binding records them. If the binding is missing, recorded restores it with the
// objects of the class, provided that the class is unchanged.
func (m *Manager) recorded(ctx context.Context, ns *corev1.Namespace) ([]runtime.RawExtension, error) {
	b, err := m.Client.RbacV1().RoleBindings(ns.Name).Get(ctx, v1alpha1.RoleBindingBroker,
		metav1.GetOptions{ResourceVersion: "0"})
	if err == nil && b.Annotations[v1alpha1.AnnotationGuardRails] == "" {
		return nil, nil // created by a release that did not record them
	}
	if err == nil {
		var out []runtime.RawExtension
		if err := json.Unmarshal([]byte(b.Annotations[v1alpha1.AnnotationGuardRails]), &out); err != nil {
			return nil, fmt.Errorf("read the recorded guard rails of namespace %q: %w", ns.Name, err)
		}
		return out, nil
	}
	if !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) { // without the binding the broker may not even read it
		return nil, fmt.Errorf("read the broker's binding in %q: %w", ns.Name, err)
	}
	objects, lost := m.fromClass(ctx, ns)
	switch made, err := m.bindSelf(ctx, ns.Name, objects); {
	case err != nil:
		return nil, err
	case !made:
		return nil, fmt.Errorf("RoleBinding %q in %q exists and does not grant the broker its rights: an administrator "+
			"has to delete it, or apply deploy/ again", v1alpha1.RoleBindingBroker, ns.Name)
	}
	d := drift{object: corev1.ObjectReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding",
		Name: v1alpha1.RoleBindingBroker}, was: Missing, became: Restored}
	if lost != nil { // the broker has its rights again, but no record to compare the guard rails with
		d.became, d.why = Refused, "the record of the guard rails cannot be read: "+lost.Error()
	}
	m.report(ctx, ns, d)
	return objects, nil
}

// fromClass returns the objects of the class of ns, if the class has not changed since
// ns was created.
func (m *Manager) fromClass(ctx context.Context, ns *corev1.Namespace) ([]runtime.RawExtension, error) {
	class, err := m.Classes.Class(ctx, ns.Labels[v1alpha1.LabelClass])
	if err != nil {
		return nil, err
	}
	if class.Status.Revision != ns.Annotations[v1alpha1.AnnotationClassRevision] {
		return nil, fmt.Errorf("class %q has changed since", class.Name)
	}
	if ns, err = m.read(ctx, ns); err != nil { // for its parameters
		return nil, err
	}
	chosen, errs := class.Spec.Choose(v1alpha1.ParametersOf(ns), field.NewPath("parameters"))
	if err := errs.ToAggregate(); err != nil {
		return nil, err
	}
	return class.Spec.Expand(policyv1alpha1.Given(ns.Name, v1alpha1.OwnerName(ns), chosen))
}

// inspectPodSecurity restores the pod security level of the namespace.
func (m *Manager) inspectPodSecurity(ctx context.Context, ns *corev1.Namespace) error {
	want := ns.Annotations[v1alpha1.AnnotationPodSecurity]
	if want == "" || ns.Labels[v1alpha1.LabelPodSecurity] == want {
		return nil
	}
	_, err := m.mutate(ctx, ns, func(ns *corev1.Namespace) error {
		if ns.Labels[v1alpha1.LabelPodSecurity] == want { // by another replica
			return errUnchanged
		}
		metav1.SetMetaDataLabel(&ns.ObjectMeta, v1alpha1.LabelPodSecurity, want)
		return nil
	})
	switch {
	case errors.Is(err, errUnchanged), errors.Is(err, ErrUID):
		return nil
	case err != nil:
		return fmt.Errorf("restore the pod security of %q: %w", ns.Name, err)
	}
	m.report(ctx, ns, drift{object: corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: ns.Name,
		UID: ns.UID}, was: Changed, became: Restored, where: "metadata.labels[" + v1alpha1.LabelPodSecurity + "]"})
	return nil
}

// inspectObject compares one guard rail with its record. It reads from kube-apiserver's
// cache; a change that the cache does not show yet is found in the next round.
func (m *Manager) inspectObject(ctx context.Context, ns *corev1.Namespace, want runtime.Object) error {
	gvk := want.GetObjectKind().GroupVersionKind()
	id := guardrails.Identity(want)
	d := drift{object: corev1.ObjectReference{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Name: nameOf(want)}}
	have, err := m.GuardRails.Get(ctx, ns.Name, want, metav1.GetOptions{ResourceVersion: "0"})
	switch {
	case apierrors.IsNotFound(err):
		d.was = Missing
	case err != nil:
		return fmt.Errorf("read %s in %q: %w", id, ns.Name, err)
	case !v1alpha1.IsManaged(have.(metav1.Object)):
		m.Drifted(d.object.Kind, Changed, Released)
		return nil
	default:
		if d.where = guardrails.Diff(want, have); d.where == "" {
			return nil
		}
		d.was, d.object.UID = Changed, have.(metav1.Object).GetUID()
	}
	// an interrupted refresh is to empty it
	if q, ok := want.(*corev1.ResourceQuota); ok && len(q.Spec.Hard) == 0 && d.was == Changed {
		_, err := m.GuardRails.Replace(ctx, ns.Name, nil, want)
		return err
	}
	now, err := m.GuardRails.Restore(ctx, ns.Name, want)
	d.became = Restored
	if apierrors.IsInvalid(err) {
		d.became, d.why = Refused, err.Error()
	} else if err == nil {
		if still := guardrails.Diff(want, now); still != "" {
			d.became, d.why = Refused, still+" belongs to another field manager"
		}
	}
	if err == nil || d.became == Refused {
		m.report(ctx, ns, d)
	}
	if err != nil {
		return fmt.Errorf("restore %s in %q: %w", id, ns.Name, err)
	}
	return nil
}

func nameOf(obj runtime.Object) string { return obj.(metav1.Object).GetName() }
