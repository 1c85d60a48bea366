// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// refresh gives a namespace the objects that its class has now, and returns it with
// what it takes of the budgets from then on; the caller writes the revision. Where
// it takes more than before, that is admitted as a creation is, first.
//
// It may stop anywhere: once the record in the broker's binding is changed, which
// comes first, inspections bring about what it says; and they give back what was
// reserved in vain. Errors: Invalid (a revision that is not the present one, or that differs
// in what is fixed at creation), Forbidden (a budget is full, or the class may not
// be used), Conflict (the namespace was changed meanwhile).
func (r *Registry) refresh(ctx context.Context, ns *corev1.Namespace, to string, dry bool) (*corev1.Namespace, error) {
	invalid := func(why string) error {
		return apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name, field.ErrorList{field.Invalid(field.NewPath("spec", "classRevision"), to, why)})
	}
	class, err := r.Classes.Class(ctx, ns.Labels[v1alpha1.LabelClass])
	var bad *field.Error
	switch {
	case errors.As(err, &bad):
		return nil, invalid(bad.ErrorBody())
	case err != nil:
		return nil, err
	case class.Status.Revision != to:
		return nil, invalid(fmt.Sprintf("must be %q, which the namespace has, or %q, the present one of class %q", ns.Annotations[v1alpha1.AnnotationClassRevision], class.Status.Revision, class.Name))
	}
	if err := r.mayUse(ctx, class.Name); err != nil {
		return nil, err
	}
	chosen, errs := class.Spec.Choose(parameters(ns), field.NewPath("spec", "parameters"))
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name, errs)
	}
	given := policyv1alpha1.Given(ns.Name, called(ns), chosen)
	if other, err := fixed(ns, class, given); err != nil {
		return nil, err
	} else if len(other) > 0 {
		return nil, invalid(fmt.Sprintf("class %q now has another %s, which is fixed when a namespace is made: make a new one", class.Name, strings.Join(other, ", ")))
	}
	what, err := r.content(class, given)
	if err != nil {
		return nil, err
	}
	if err := r.inUse(ctx, ns.Name, what.objs); err != nil {
		return nil, err
	}
	takes := policyv1alpha1.Reserved(what.objs)
	if ns, err = r.raise(ctx, ns, takes, dry); err != nil || dry {
		return ns, err
	}
	ns = ns.DeepCopy()
	recorded, err := r.recorded(ctx, ns)
	if err != nil {
		return nil, err
	}
	old, err := policyv1alpha1.DecodeGuardRails(recorded, r.Kinds)
	if err != nil {
		return nil, fmt.Errorf("read what namespace %q was made with: %w", ns.Name, err)
	}
	before := map[string]runtime.Object{}
	for _, obj := range old {
		before[identity(obj)] = obj
	}
	for _, left := range leftovers(ctx, ns.Name, before, what.objs) {
		b, err := manifest(left)
		if err != nil {
			return nil, err
		}
		what.raw, what.objs = append(what.raw, runtime.RawExtension{Raw: b}), append(what.objs, left)
	}
	if err := r.record(ctx, ns.Name, what.raw); err != nil {
		return nil, err
	}
	for _, obj := range what.objs {
		if err := r.replace(ctx, ns.Name, before[identity(obj)], obj); err != nil {
			return nil, err
		}
	}
	r.Log.Info("Refreshed", "namespace", ns.Name, "uid", ns.UID, "user", userName(ctx), "class", class.Name, "revision", to, "was", ns.Annotations[v1alpha1.AnnotationClassRevision], "auditID", auditID(ctx))
	return ns, reserveAnnotation(ns, takes)
}

// fixed lists what the class has otherwise than the namespace, and what no refresh
// can change, because no policy would let the broker.
func fixed(ns *corev1.Namespace, class *policyv1alpha1.NamespaceClass, given policyv1alpha1.Values) ([]string, error) {
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

// raise has a namespace take what it took and what it is to take, whichever is
// more of each. That has to fit; if it does not, nothing has changed.
func (r *Registry) raise(ctx context.Context, ns *corev1.Namespace, takes corev1.ResourceList, dry bool) (*corev1.Namespace, error) {
	had := corev1.ResourceList{}
	_ = json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationReserved]), &had)
	both, more := had.DeepCopy(), false
	for k, v := range takes {
		if was, ok := had[k]; !ok || v.Cmp(was) > 0 {
			both[k], more = v, true
		}
	}
	if !more {
		return ns, nil
	}
	raised := ns.DeepCopy()
	if err := reserveAnnotation(raised, both); err != nil {
		return nil, err
	}
	release, err := r.Admission.HoldMore(raised)
	if err != nil || dry {
		if err == nil {
			release()
		}
		return ns, err
	}
	defer release()
	out, err := r.Client.CoreV1().Namespaces().Update(ctx, raised, metav1.UpdateOptions{})
	if err != nil {
		return nil, err
	}
	if err := r.Cache.wait(ctx, out); err != nil {
		return nil, err // what it takes too much, the next inspection gives back
	}
	if refusal := r.Admission.Admitted(out); refusal != nil {
		if err := r.reserves(ctx, out, had); err != nil {
			r.Log.Warn("Giving back what did not fit failed; the next inspection tries again", "namespace", ns.Name, "err", err)
		}
		return nil, refusal
	}
	return out, nil
}

// reserves writes what a namespace takes of the budgets.
func (r *Registry) reserves(ctx context.Context, ns *corev1.Namespace, takes corev1.ResourceList) error {
	for {
		now := ns.DeepCopy()
		if err := reserveAnnotation(now, takes); err != nil {
			return err
		}
		_, err := r.Client.CoreV1().Namespaces().Update(ctx, now, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return err
		}
		uid := ns.UID
		if ns, err = r.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{}); err != nil || ns.UID != uid {
			return err
		}
	}
}

func reserveAnnotation(ns *corev1.Namespace, takes corev1.ResourceList) error {
	b, err := json.Marshal(takes)
	if err != nil {
		return fmt.Errorf("encode what %q takes: %w", ns.Name, err)
	}
	ns.Annotations[v1alpha1.AnnotationReserved] = string(b)
	return nil
}
