// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"tenama.dev/tenama/deploy"
)

// DeleteLent deletes lent namespaces and waits until they are gone. The broker has to run
// meanwhile: it ends the access to namespaces whose deletion hangs.
func (c *Cluster) DeleteLent(ctx context.Context, names []string) error {
	for _, name := range names {
		err := c.client.Resource(namespaces).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete namespace %q: %w", name, err)
		}
	}
	return poll(ctx, func() (string, error) {
		left, err := c.Lent(ctx)
		left = slices.DeleteFunc(left, func(name string) bool { return !slices.Contains(names, name) })
		if err != nil || len(left) == 0 {
			return "", err
		}
		return fmt.Sprintf("%d lent namespaces are still being deleted: %s", len(left), some(left)), nil
	})
}

// Stop ends the brokers and waits until they and their API are gone. It deletes the API of
// brokers that could not do so themselves.
func (c *Cluster) Stop(ctx context.Context) error {
	d := c.client.Resource(deployments).Namespace(c.namespace)
	_, err := d.Patch(ctx, brokerName, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`),
		metav1.PatchOptions{FieldManager: Manager})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("scale deployment %q to 0: %w", brokerName, err)
	}
	err = poll(ctx, func() (string, error) {
		list, err := c.client.Resource(pods).Namespace(c.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: "app.kubernetes.io/name=tenama,app.kubernetes.io/component=broker",
		})
		if err != nil || len(list.Items) == 0 {
			return "", err
		}
		return fmt.Sprintf("pod %q of the broker has not ended", list.Items[0].GetName()), nil
	})
	if err != nil {
		return err
	}
	s, err := c.get(ctx, c.client.Resource(apiServices), apiService)
	if err != nil || s == nil {
		return err
	}
	if ns, _, _ := unstructured.NestedString(s.Object, "spec", "service", "namespace"); ns != c.namespace {
		return nil // of another installation
	}
	return c.remove(ctx, c.client.Resource(apiServices), apiService)
}

// Remove deletes the objects of an installation whose brokers are stopped, and waits until
// they are gone. With the definitions, all classes and budgets are deleted.
func (c *Cluster) Remove(ctx context.Context) error {
	objects, err := deploy.Objects(deploy.Options{Namespace: c.namespace})
	if err != nil {
		return err
	}
	users := &unstructured.Unstructured{}
	users.SetAPIVersion("rbac.authorization.k8s.io/v1")
	users.SetKind("ClusterRoleBinding")
	users.SetName(usersName)
	objects = append(objects, users)
	// The namespace and the definitions come last, as they are the first to be applied.
	slices.Reverse(objects)
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

func (c *Cluster) remove(ctx context.Context, r dynamic.ResourceInterface, name string) error {
	if err := c.delete(ctx, r, name); err != nil {
		return fmt.Errorf("delete %q: %w", name, err)
	}
	return c.gone(ctx, r, name)
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
