// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"slices"
	"sort"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tenama.dev/tenama/deploy"
)

// BindUsers allows groups to use tenama, besides those that may already. It takes nothing
// from others: it adds subjects to ClusterRoleBinding tenama-users, or creates it.
func (c *Cluster) BindUsers(ctx context.Context, groups []string) error {
	r := c.client.Resource(roleBindings)
	b, err := c.get(ctx, r, usersName)
	if err != nil {
		return fmt.Errorf("get ClusterRoleBinding %q: %w", usersName, err)
	}
	create := b == nil
	if create {
		b = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
			"metadata": map[string]any{"name": usersName, "labels": map[string]any{"app.kubernetes.io/name": "tenama"}},
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tenama:user"},
		}}
	}
	if role, _, _ := unstructured.NestedString(b.Object, "roleRef", "name"); role != "tenama:user" {
		return fmt.Errorf("ClusterRoleBinding %q binds role %q: delete or rename it", usersName, role)
	}
	if owner := Owner(b); owner != "" {
		return &ConflictError{Object: label(b), Managers: []string{owner}}
	}
	subjects, _, _ := unstructured.NestedSlice(b.Object, "subjects")
	before := len(subjects)
	for _, g := range groups {
		if !slices.ContainsFunc(maps(b.Object, "subjects"), func(s map[string]any) bool {
			return s["kind"] == "Group" && s["name"] == g
		}) {
			subjects = append(subjects, map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": g})
		}
	}
	if len(subjects) == before {
		return nil
	}
	if err := unstructured.SetNestedSlice(b.Object, subjects, "subjects"); err != nil {
		return err
	}
	if create {
		_, err = r.Create(ctx, b, metav1.CreateOptions{FieldManager: Manager})
	} else {
		_, err = r.Update(ctx, b, metav1.UpdateOptions{FieldManager: Manager})
	}
	if err != nil {
		return fmt.Errorf("bind groups to ClusterRole tenama:user: %w", err)
	}
	return nil
}

// Users returns those who may use tenama by a ClusterRoleBinding, such as "group devs".
func (c *Cluster) Users(ctx context.Context) ([]string, error) {
	list, err := c.client.Resource(roleBindings).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list ClusterRoleBindings: %w", err)
	}
	var out []string
	for i := range list.Items {
		role, _, _ := unstructured.NestedString(list.Items[i].Object, "roleRef", "name")
		if !slices.Contains([]string{"tenama:user", "tenama:user-without-classes", "tenama:admin"}, role) {
			continue
		}
		for _, s := range maps(list.Items[i].Object, "subjects") {
			switch s["kind"] {
			case "Group":
				out = append(out, fmt.Sprintf("group %v", s["name"]))
			case "User":
				out = append(out, fmt.Sprintf("user %v", s["name"]))
			default:
				out = append(out, fmt.Sprintf("ServiceAccount %v/%v", s["namespace"], s["name"]))
			}
		}
	}
	sort.Strings(out)
	return slices.Compact(out), nil
}

// CreateClasses creates the first class and the first budget, unless the cluster has a
// class: without one, no namespace can be created, and those that there are belong to the
// administrator. It reports whether it did.
func (c *Cluster) CreateClasses(ctx context.Context) (bool, error) {
	list, err := c.client.Resource(classes).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return false, fmt.Errorf("list classes: %w", err)
	}
	if len(list.Items) > 0 {
		return false, nil
	}
	all, err := deploy.Classes()
	if err != nil {
		return false, err
	}
	for _, o := range all {
		_, err := c.resourceOf(o).Create(ctx, o, metav1.CreateOptions{FieldManager: Manager})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return false, fmt.Errorf("create %s: %w", label(o), err)
		}
	}
	return true, nil
}
