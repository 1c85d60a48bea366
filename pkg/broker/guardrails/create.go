// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"tenama.dev/tenama/api/v1alpha1"
)

// DefaultAccount is the name of the ServiceAccount that a controller of Kubernetes
// creates in every namespace. Pods run as it, no matter which client creates it.
const DefaultAccount = "default"

// Create creates an object in a namespace, or accepts the object that an earlier try
// created. A quota is in force when Create returns. Errors: *OccupiedError, and
// those of kube-apiserver.
func (c *Client) Create(ctx context.Context, ns string, obj runtime.Object) error {
	m := metaOf(obj)
	m.SetNamespace(ns)
	if m.GetName() != DefaultAccount {
		m.SetLabels(withOwnLabels(m.GetLabels()))
	}
	// The broker may have bound its role a moment ago.
	err := RetryForbidden(ctx, func() error {
		if quota, ok := obj.(*corev1.ResourceQuota); ok {
			return c.createQuota(ctx, quota)
		}
		_, err := c.create(ctx, ns, obj, metav1.CreateOptions{})
		return err
	})
	if apierrors.IsAlreadyExists(err) {
		return c.accept(ctx, ns, obj)
	}
	if isRejected(err) {
		return &InvalidError{err}
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", Identity(obj), err)
	}
	return nil
}

// Try reports, as an *InvalidError, which of the objects kube-apiserver would not accept
// in a namespace of the broker, by dry run. tried is false if one of them got another
// answer, which says nothing about it: the namespace may be gone, a quota full, or a
// webhook without support for dry run.
func (c *Client) Try(ctx context.Context, ns string, objs []runtime.Object) (tried bool, _ error) {
	tried = true
	for _, obj := range objs {
		obj = obj.DeepCopyObject()
		m := metaOf(obj)
		m.SetNamespace(ns)
		m.SetLabels(withOwnLabels(m.GetLabels()))
		_, err := c.create(ctx, ns, obj, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if isRejected(err) {
			return true, &InvalidError{err}
		}
		if err != nil && !apierrors.IsAlreadyExists(err) { // checked after the object is validated
			tried = false
		}
	}
	return tried, nil
}

// accept returns an *OccupiedError if an object that exists already is not the
// broker's.
func (c *Client) accept(ctx context.Context, ns string, obj runtime.Object) error {
	if nameOf(obj) == DefaultAccount {
		return nil
	}
	return RetryForbidden(ctx, func() error {
		have, err := c.Get(ctx, ns, obj, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !v1alpha1.IsManaged(metaOf(have)) {
			return occupied(obj)
		}
		return nil
	})
}

// createQuota creates a quota and puts it in force. A new ResourceQuota has no effect
// until its status is set, which the controller does some milliseconds later: until
// then objects beyond the limit are admitted. In a new namespace the status is known.
// A Conflict means that the controller was first.
func (c *Client) createQuota(ctx context.Context, want *corev1.ResourceQuota) error {
	quotas := c.Kube.CoreV1().ResourceQuotas(want.Namespace)
	q, err := quotas.Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		q, err = quotas.Get(ctx, want.Name, metav1.GetOptions{})
		if err == nil && !v1alpha1.IsManaged(q) {
			return occupied(want)
		}
	}
	if err != nil {
		return err
	}
	for err == nil && len(q.Status.Hard) == 0 && len(q.Spec.Hard) > 0 {
		q.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: corev1.ResourceList{}}
		for k := range q.Spec.Hard {
			q.Status.Used[k] = resource.Quantity{Format: resource.DecimalSI}
		}
		if q, err = quotas.UpdateStatus(ctx, q, metav1.UpdateOptions{}); apierrors.IsConflict(err) {
			q, err = quotas.Get(ctx, want.Name, metav1.GetOptions{})
		}
	}
	if err != nil {
		return fmt.Errorf("put ResourceQuota %q in force: %w", want.Name, err)
	}
	return nil
}
