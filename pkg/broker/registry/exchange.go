// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/warning"

	"tenama.dev/tenama/api/v1alpha1"
)

// leftovers are the objects of before that are not to be any more. They stay, as
// the broker deletes no guard rail; a quota or limit range is emptied, so that it
// holds nothing.
func leftovers(ctx context.Context, ns string, before map[string]runtime.Object, objs []runtime.Object) []runtime.Object {
	var out []runtime.Object
	stays := map[string]bool{}
	for _, obj := range objs {
		stays[identity(obj)] = true
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if stays[id] {
			continue
		}
		left := before[id].DeepCopyObject()
		switch o := left.(type) {
		case *corev1.ResourceQuota:
			o.Spec = corev1.ResourceQuotaSpec{}
		case *corev1.LimitRange:
			o.Spec = corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{}}
		default:
			warning.AddWarning(ctx, "", fmt.Sprintf("%s is not in the class any more, and stays in namespace %q", id, ns))
		}
		out = append(out, left)
	}
	return out
}

// inUse refuses a refresh that would leave a namespace with more than its quotas let
// it have: what is in use goes on to be.
func (r *Registry) inUse(ctx context.Context, ns string, objs []runtime.Object) error {
	for _, obj := range objs {
		want, ok := obj.(*corev1.ResourceQuota)
		if !ok {
			continue
		}
		have, err := r.Client.CoreV1().ResourceQuotas(ns).Get(ctx, want.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s in %q: %w", identity(want), ns, err)
		}
		for k, hard := range want.Spec.Hard {
			if used, ok := have.Status.Used[k]; ok && used.Cmp(hard) > 0 {
				return apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns, field.ErrorList{field.Forbidden(field.NewPath("spec", "classRevision"),
					fmt.Sprintf("%s of %s are in use, and the class allows %s now: free some first", used.String(), k, hard.String()))})
			}
		}
	}
	return nil
}

func identity(obj runtime.Object) string {
	m, err := meta.Accessor(obj)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %q", obj.GetObjectKind().GroupVersionKind().Kind, m.GetName())
}

// replace makes the object in a namespace as it is to be. Fields that others own
// stay, and so does an object that somebody has taken over.
func (r *Registry) replace(ctx context.Context, ns string, was, want runtime.Object) error {
	m, err := meta.Accessor(want)
	if err != nil {
		return err
	}
	have, err := r.get(ctx, ns, m.GetName(), want, metav1.GetOptions{})
	if q, ok := want.(*corev1.ResourceQuota); ok && apierrors.IsNotFound(err) { // what is used is not known here: the controller puts it in force
		q = q.DeepCopy()
		q.Namespace, q.Labels = ns, withOwn(q.Labels)
		return r.patiently(ctx, func() error {
			_, err := r.Client.CoreV1().ResourceQuotas(ns).Create(ctx, q, metav1.CreateOptions{})
			return err
		})
	}
	if apierrors.IsNotFound(err) {
		return r.guard(ctx, ns, want)
	}
	if err != nil {
		return fmt.Errorf("read %s in %q: %w", identity(want), ns, err)
	}
	if hm, err := meta.Accessor(have); err != nil || hm.GetLabels()[v1alpha1.LabelManaged] != "true" {
		if was == nil {
			return &occupied{want.GetObjectKind().GroupVersionKind().Kind, m.GetName()}
		}
		warning.AddWarning(ctx, "", fmt.Sprintf("%s in namespace %q is kept by somebody else now, and stays as it is", identity(want), ns))
		return nil
	}
	if q, ok := want.(*corev1.ResourceQuota); ok {
		if was, err = quotaBefore(was, q, have); err != nil {
			return err
		}
	}
	docs := make([][]byte, 3)
	for i, obj := range []runtime.Object{was, want, have} {
		if obj == nil || i == 0 && was == nil {
			docs[i] = []byte("{}")
			continue
		}
		if docs[i], err = manifest(obj); err != nil {
			return err
		}
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(docs[0], docs[1], docs[2])
	if err != nil {
		return fmt.Errorf("compute the change of %s in %q: %w", identity(want), ns, err)
	}
	if string(patch) == "{}" {
		return nil
	}
	err = r.patiently(ctx, func() error {
		_, err := r.patch(ctx, ns, m.GetName(), want, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: managedBy})
		return err
	})
	if err != nil {
		return fmt.Errorf("change %s in %q: %w", identity(want), ns, err)
	}
	return nil
}

// record notes, in the broker's binding, what the namespace is made with.
func (r *Registry) record(ctx context.Context, ns string, objects []runtime.RawExtension) error {
	b, err := json.Marshal(objects)
	if err != nil {
		return fmt.Errorf("encode the guard rails of %q: %w", ns, err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationGuardRails: string(b)}}})
	if err != nil {
		return err
	}
	err = r.patiently(ctx, func() error {
		_, err := r.Client.RbacV1().RoleBindings(ns).Patch(ctx, managerBroker, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: managedBy})
		return err
	})
	if err != nil {
		return fmt.Errorf("record the guard rails of %q: %w", ns, err)
	}
	return nil
}
