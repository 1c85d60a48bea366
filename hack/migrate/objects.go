// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tenama.dev/tenama/deploy"
)

// objects returns the first class and budget with the numbers of the configuration, and a
// binding for its users.
func (c *config) objects() ([]*unstructured.Unstructured, error) {
	objects, err := deploy.Classes()
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		switch o.GetKind() {
		case "NamespaceClass":
			err = c.class(o.Object)
		case "NamespaceBudget":
			err = c.budget(o.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("change %s %q: %w", o.GetKind(), o.GetName(), err)
		}
	}
	if len(c.BasicAuth) == 0 {
		return objects, nil
	}
	var subjects []any
	for _, u := range c.BasicAuth {
		subjects = append(subjects, map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
			"name": u.Username})
	}
	return append(objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
		"metadata": map[string]any{"name": "tenama-users"},
		"roleRef": map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
			"name": "tenama:user"},
		"subjects": subjects,
	}}), nil
}

func (c *config) class(o map[string]any) error {
	spec, _, err := unstructured.NestedMap(o, "spec")
	if err != nil {
		return err
	}
	spec["description"] = "With the limits of the first tenama"
	if prefix, _ := c.prefix(); prefix != deploy.DefaultPrefix {
		spec["prefix"] = prefix
	}
	if d, _ := c.lifetime(); d > 0 {
		lifetime := spec["lifetime"].(map[string]any)
		lifetime["defaultTTLSeconds"] = int64(d / time.Second)
		lifetime["maximumTTLSeconds"] = max(lifetime["maximumTTLSeconds"].(int64), int64(d/time.Second))
	}
	for _, object := range spec["objects"].([]any) {
		object := object.(map[string]any)
		switch object["kind"] {
		case "ResourceQuota":
			for name, value := range c.Namespace.Resources.Requests {
				err = set(object, value, err, "spec", "hard", "requests."+name)
			}
			for name, value := range c.Namespace.Resources.Limits {
				err = set(object, value, err, "spec", "hard", "limits."+name)
			}
		case "LimitRange": // a container without a limit gets the most that the quota has
			limits, _, _ := unstructured.NestedSlice(object, "spec", "limits")
			for name, value := range c.Namespace.Resources.Limits {
				err = set(limits[0].(map[string]any), value, err, "max", name)
			}
			if err == nil {
				err = unstructured.SetNestedSlice(object, limits, "spec", "limits")
			}
		}
	}
	o["spec"] = spec
	return err
}

func (c *config) budget(o map[string]any) (err error) {
	if !c.GlobalLimits.Enabled {
		return nil
	}
	for name, value := range c.GlobalLimits.Resources.Requests {
		err = set(o, value, err, "spec", "total", "requests."+name)
	}
	return err
}

func set(o map[string]any, value string, err error, path ...string) error {
	if err != nil {
		return err
	}
	return unstructured.SetNestedField(o, value, path...)
}
