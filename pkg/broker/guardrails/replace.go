// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"tenama.dev/tenama/api/v1alpha1"
)

// Prune returns the objects of before that are not among objs, emptied where that
// is possible, because nothing is deleted; and the identities of those that stay as
// they are.
func Prune(before map[string]runtime.Object, objs []runtime.Object) (left []runtime.Object, stay []string) {
	keep := map[string]bool{}
	for _, obj := range objs {
		keep[Identity(obj)] = true
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if keep[id] {
			continue
		}
		obj := before[id].DeepCopyObject()
		switch o := obj.(type) {
		case *corev1.ResourceQuota:
			o.Spec = corev1.ResourceQuotaSpec{}
		case *corev1.LimitRange:
			o.Spec = corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{}}
		default:
			stay = append(stay, id)
		}
		left = append(left, obj)
	}
	return left, stay
}

// InUse returns the first amount in use that is more than the quotas among objs
// would allow, in words; empty if there is none.
func (c *Client) InUse(ctx context.Context, ns string, objs []runtime.Object) (string, error) {
	for _, obj := range objs {
		want, ok := obj.(*corev1.ResourceQuota)
		if !ok {
			continue
		}
		have, err := c.Kube.CoreV1().ResourceQuotas(ns).Get(ctx, want.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read %s in %q: %w", Identity(want), ns, err)
		}
		for k, hard := range want.Spec.Hard {
			if used, ok := have.Status.Used[k]; ok && used.Cmp(hard) > 0 {
				return fmt.Sprintf("%s of %s are in use, but the class now allows %s: reduce the usage first", used.String(), k,
					hard.String()), nil
			}
		}
	}
	return "", nil
}

// Replace changes an object in a namespace from was to want, by a three-way merge:
// fields of other managers stay. was is nil for an object that is new to the
// namespace. It reports whether the object was left as it is because it is not the
// broker's any more. Errors: *OccupiedError, and those of kube-apiserver.
func (c *Client) Replace(ctx context.Context, ns string, was, want runtime.Object) (left bool, _ error) {
	have, err := c.Get(ctx, ns, want, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, c.recreate(ctx, ns, want)
	}
	if err != nil {
		return false, fmt.Errorf("read %s in %q: %w", Identity(want), ns, err)
	}
	if !v1alpha1.IsManaged(metaOf(have)) {
		if was == nil {
			return false, occupied(want)
		}
		return true, nil
	}
	if q, ok := want.(*corev1.ResourceQuota); ok {
		if was, err = withOwnedKeys(was, q, have); err != nil {
			return false, err
		}
	}
	patch, err := mergePatch(was, want, have)
	if err != nil {
		return false, fmt.Errorf("compute the change of %s in %q: %w", Identity(want), ns, err)
	}
	if string(patch) == "{}" {
		return false, nil
	}
	err = RetryForbidden(ctx, func() error {
		_, err := c.patch(ctx, ns, want, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("change %s in %q: %w", Identity(want), ns, err)
	}
	return false, nil
}

// recreate is Create for a namespace that is in use: the usage that a quota has to
// count there is not known, so the controller puts the quota in force.
func (c *Client) recreate(ctx context.Context, ns string, want runtime.Object) error {
	q, ok := want.(*corev1.ResourceQuota)
	if !ok {
		return c.Create(ctx, ns, want)
	}
	q = q.DeepCopy()
	q.Namespace, q.Labels = ns, withOwnLabels(q.Labels)
	return RetryForbidden(ctx, func() error {
		_, err := c.create(ctx, ns, q, metav1.CreateOptions{})
		return err
	})
}

// Restore resets an object to want, and returns the result. It takes the fields that
// it sets from other managers.
func (c *Client) Restore(ctx context.Context, ns string, want runtime.Object) (now runtime.Object, err error) {
	manifest, err := Manifest(want)
	if err != nil {
		return nil, err
	}
	force := true
	err = RetryForbidden(ctx, func() (err error) {
		now, err = c.patch(ctx, ns, want, types.ApplyPatchType, manifest, metav1.PatchOptions{Force: &force})
		return err
	})
	return now, err
}

func mergePatch(was, want, have runtime.Object) ([]byte, error) {
	var docs [3][]byte
	for i, obj := range []runtime.Object{was, want, have} {
		if obj == nil {
			docs[i] = []byte("{}")
			continue
		}
		b, err := Manifest(obj)
		if err != nil {
			return nil, err
		}
		docs[i] = b
	}
	return jsonmergepatch.CreateThreeWayJSONMergePatch(docs[0], docs[1], docs[2])
}
