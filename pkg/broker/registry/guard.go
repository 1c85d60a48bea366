// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"tenama.dev/tenama/api/v1alpha1"
)

// guard makes one of the class's objects, and waits out the moment in which
// the broker's own binding has not reached kube-apiserver's RBAC cache.
func (r *Registry) guard(ctx context.Context, ns string, obj runtime.Object) error {
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	m.SetNamespace(ns)
	if m.GetName() != "default" { // that one is as much the controller's
		m.SetLabels(withOwn(m.GetLabels()))
	}
	err = r.patiently(ctx, func() error { return r.createGuard(ctx, ns, obj) })
	if apierrors.IsAlreadyExists(err) {
		return r.own(ctx, ns, obj, m.GetName())
	}
	if err != nil {
		return fmt.Errorf("create %T %q: %w", obj, m.GetName(), err)
	}
	return nil
}

// withOwn adds the marks of what the broker makes.
func withOwn(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, ownLabels)
	return out
}

// occupied is an object of the class that somebody else makes in each new
// namespace, faster, and under the same name.
type occupied struct{ kind, name string }

func (o *occupied) Error() string {
	return fmt.Sprintf("%s %q of the class is made in every new namespace by somebody else (a policy engine?); give the one of the class another name", o.kind, o.name)
}

// own refuses an object that is there already, unless it is the broker's.
func (r *Registry) own(ctx context.Context, ns string, obj runtime.Object, name string) error {
	if name == "default" {
		return nil
	}
	return r.patiently(ctx, func() error {
		have, err := r.get(ctx, ns, name, obj, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if m, err := meta.Accessor(have); err != nil || m.GetLabels()[v1alpha1.LabelManaged] != "true" {
			return &occupied{obj.GetObjectKind().GroupVersionKind().Kind, name}
		}
		return nil
	})
}

// patiently repeats do while RBAC answers that the broker may not: for a moment
// after the broker has bound itself, that is not true.
func (r *Registry) patiently(ctx context.Context, do func() error) error {
	begun := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := do()
		if !apierrors.IsForbidden(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || byPolicy(err) || time.Since(begun) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// quota makes a quota and puts it in force. A new ResourceQuota does nothing
// until its status is filled, and the controller does that some milliseconds
// later: the first object over the limit would get in. In an empty namespace
// the status is known; if the controller was first, so much the better.
func (r *Registry) quota(ctx context.Context, want *corev1.ResourceQuota) error {
	quotas := r.Client.CoreV1().ResourceQuotas(want.Namespace)
	q, err := quotas.Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		q, err = quotas.Get(ctx, want.Name, metav1.GetOptions{})
		if err == nil && q.Labels[v1alpha1.LabelManaged] != "true" {
			return &occupied{"ResourceQuota", want.Name}
		}
		if err == nil && len(q.Status.Hard) > 0 {
			return nil
		}
	}
	if err != nil {
		return err
	}
	q.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: corev1.ResourceList{}}
	for k := range q.Spec.Hard {
		q.Status.Used[k] = resource.Quantity{Format: resource.DecimalSI}
	}
	_, err = quotas.UpdateStatus(ctx, q, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) { // most likely the controller was first
		if q, err = quotas.Get(ctx, want.Name, metav1.GetOptions{}); err == nil && len(q.Status.Hard) == 0 {
			return r.quota(ctx, want)
		}
	}
	if err != nil {
		return fmt.Errorf("put in force: %w", err)
	}
	return nil
}
