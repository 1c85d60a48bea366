// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/deploy"
	"tenama.dev/tenama/internal/drain"
)

// Lent is a lent namespace.
type Lent struct {
	Name   string
	UID    types.UID
	OnHold bool // by an administrator; it cannot be deleted
}

// is reports whether both are the same namespace.
func (l Lent) is(other Lent) bool { return l.UID == other.UID }

// Lent returns the lent namespaces. It reads Namespaces, so it works also if the broker does
// not.
func (c *Cluster) Lent(ctx context.Context) ([]Lent, error) {
	list, err := c.client.Resource(namespaces).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{v1alpha1.LabelManaged: "true"}.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var out []Lent
	for i := range list.Items {
		ns := &list.Items[i]
		out = append(out, Lent{ns.GetName(), ns.GetUID(), v1alpha1.OnHold(ns)})
	}
	return out, nil
}

// DeleteLent deletes these lent namespaces, and none that has taken over a name since, and
// waits until they are gone. The broker has to run meanwhile: it ends the access to
// namespaces whose deletion hangs.
func (c *Cluster) DeleteLent(ctx context.Context, lent []Lent) error {
	for _, l := range lent {
		err := c.client.Resource(namespaces).Delete(ctx, l.Name, metav1.DeleteOptions{
			Preconditions: metav1.NewUIDPreconditions(string(l.UID)),
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete namespace %q: %w", l.Name, err)
		}
	}
	return poll(ctx, func() (string, error) {
		now, err := c.Lent(ctx)
		now = slices.DeleteFunc(now, func(l Lent) bool { return !slices.ContainsFunc(lent, l.is) })
		if err != nil || len(now) == 0 {
			return "", err
		}
		return fmt.Sprintf("%d lent namespaces are still being deleted: %s", len(now), some(namesOf(now))), nil
	})
}

func namesOf(lent []Lent) []string {
	var out []string
	for _, l := range lent {
		out = append(out, l.Name)
	}
	return out
}

// Stop ends the brokers and waits until they and their API are gone.
func (c *Cluster) Stop(ctx context.Context) error {
	if ours, _, err := c.isHome(ctx); err != nil || !ours {
		return err
	}
	last := "kube-apiserver did not answer"
	err := drain.Brokers(ctx, c.client, c.namespace, Manager, func(waits string) { last = waits })
	if errors.Is(err, context.DeadlineExceeded) {
		return &WaitError{For: last}
	}
	return err
}

// Exists reports whether the cluster has objects of an installation, also of one that was
// removed in part.
func (c *Cluster) Exists(ctx context.Context) (bool, error) {
	objects, err := c.removable(ctx)
	if err != nil {
		return false, err
	}
	for _, o := range objects {
		if live, err := c.get(ctx, c.resourceOf(o), o.GetName()); err != nil || live != nil {
			return err == nil, err
		}
	}
	return false, nil
}

// removable returns the objects of an installation, and of its component forwarder, in the order
// of their removal: the namespace and the definitions come last, as they are the first to be
// applied. In a namespace that is not that of an installation, objects of these names are of
// others.
func (c *Cluster) removable(ctx context.Context) ([]*unstructured.Unstructured, error) {
	objects, err := deploy.Objects(deploy.Options{Namespace: c.namespace, Components: []string{"forwarder"}})
	if err != nil {
		return nil, err
	}
	users := &unstructured.Unstructured{}
	users.SetAPIVersion("rbac.authorization.k8s.io/v1")
	users.SetKind("ClusterRoleBinding")
	users.SetName(usersName)
	webhooks := &unstructured.Unstructured{} // made by hand, without a label
	webhooks.SetAPIVersion("v1")
	webhooks.SetKind("Secret")
	webhooks.SetNamespace(c.namespace)
	webhooks.SetName(forwarderSecret)
	objects = append(objects, users, webhooks)
	slices.Reverse(objects)
	ours, labelled, err := c.isHome(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return !ours && o.GetNamespace() == c.namespace || !labelled && o.GetKind() == "Namespace"
	}), nil
}

// Remove deletes the objects of an installation whose brokers are stopped, and waits until
// they are gone. With the definitions, all classes and budgets are deleted. The namespace
// stays if keepNamespace is true.
func (c *Cluster) Remove(ctx context.Context, keepNamespace bool) error {
	objects, err := c.removable(ctx)
	if err != nil {
		return err
	}
	if keepNamespace {
		objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Namespace" })
	}
	for _, o := range objects {
		if err := c.delete(ctx, c.resourceOf(o), o.GetName()); err != nil {
			return fmt.Errorf("delete %s: %w", label(o), err)
		}
	}
	for _, o := range objects {
		if err := c.gone(ctx, c.resourceOf(o), o.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) delete(ctx context.Context, r dynamic.ResourceInterface, name string) error {
	background := metav1.DeletePropagationBackground
	err := r.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *Cluster) gone(ctx context.Context, r dynamic.ResourceInterface, name string) error {
	return poll(ctx, func() (string, error) {
		o, err := c.get(ctx, r, name)
		if err != nil || o == nil {
			return "", err
		}
		return label(o) + " is still being deleted", nil
	})
}
