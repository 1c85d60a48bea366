// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// The calls about the objects of a class, whatever their kind: typed where the kind
// is a guard rail, which is every time, and by the dynamic client for the others.

func (r *Registry) createGuard(ctx context.Context, ns string, obj runtime.Object) (err error) {
	switch o := obj.(type) {
	case *corev1.ResourceQuota:
		return r.quota(ctx, o)
	case *corev1.LimitRange:
		_, err = r.Client.CoreV1().LimitRanges(ns).Create(ctx, o, metav1.CreateOptions{})
	case *networkingv1.NetworkPolicy:
		_, err = r.Client.NetworkingV1().NetworkPolicies(ns).Create(ctx, o, metav1.CreateOptions{})
	case *corev1.ServiceAccount:
		_, err = r.Client.CoreV1().ServiceAccounts(ns).Create(ctx, o, metav1.CreateOptions{})
	default:
		var c dynamic.ResourceInterface
		var u *unstructured.Unstructured
		if c, u, err = r.other(ns, obj); err == nil {
			_, err = c.Create(ctx, u, metav1.CreateOptions{})
		}
	}
	return err
}

// get reads an object of the kind of like.
func (r *Registry) get(ctx context.Context, ns, name string, like runtime.Object, o metav1.GetOptions) (runtime.Object, error) {
	switch like.(type) {
	case *corev1.ResourceQuota:
		return r.Client.CoreV1().ResourceQuotas(ns).Get(ctx, name, o)
	case *corev1.LimitRange:
		return r.Client.CoreV1().LimitRanges(ns).Get(ctx, name, o)
	case *networkingv1.NetworkPolicy:
		return r.Client.NetworkingV1().NetworkPolicies(ns).Get(ctx, name, o)
	case *corev1.ServiceAccount:
		return r.Client.CoreV1().ServiceAccounts(ns).Get(ctx, name, o)
	}
	c, _, err := r.other(ns, like)
	if err != nil {
		return nil, err
	}
	return c.Get(ctx, name, o)
}

func (r *Registry) apply(ctx context.Context, ns, name string, like runtime.Object, patch []byte) (runtime.Object, error) {
	force := true
	return r.patch(ctx, ns, name, like, types.ApplyPatchType, patch, metav1.PatchOptions{FieldManager: managedBy, Force: &force})
}

func (r *Registry) patch(ctx context.Context, ns, name string, like runtime.Object, pt types.PatchType, patch []byte, o metav1.PatchOptions) (runtime.Object, error) {
	switch like.(type) {
	case *corev1.ResourceQuota:
		return r.Client.CoreV1().ResourceQuotas(ns).Patch(ctx, name, pt, patch, o)
	case *corev1.LimitRange:
		return r.Client.CoreV1().LimitRanges(ns).Patch(ctx, name, pt, patch, o)
	case *networkingv1.NetworkPolicy:
		return r.Client.NetworkingV1().NetworkPolicies(ns).Patch(ctx, name, pt, patch, o)
	case *corev1.ServiceAccount:
		return r.Client.CoreV1().ServiceAccounts(ns).Patch(ctx, name, pt, patch, o)
	}
	c, _, err := r.other(ns, like)
	if err != nil {
		return nil, err
	}
	return c.Patch(ctx, name, pt, patch, o)
}

// other finds how to speak about an object that is no guard rail.
func (r *Registry) other(ns string, obj runtime.Object) (dynamic.ResourceInterface, *unstructured.Unstructured, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, nil, fmt.Errorf("no object of a class: %T", obj)
	}
	kind, ok := r.Kinds.Find(u.GroupVersionKind())
	if !ok {
		return nil, nil, fmt.Errorf("no object of a class: %s", u.GroupVersionKind())
	}
	return r.Dynamic.Resource(kind.GroupVersion().WithResource(kind.Resource)).Namespace(ns), u, nil
}
