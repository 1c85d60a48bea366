// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// refreshes updates namespaces to a changed class: it gives 60 pods instead of 50, and
// so takes more of the budgets; it has one quota less, and one key less in the other
// quota.
func refreshes(t *testing.T, c *testenv.Cluster, fresh func() string) operation {
	t.Helper()
	ctx := t.Context()
	kube, alice := kubernetesFor(t, c.Config("admin")), as(t, c.Config("alice"))
	b, err := os.ReadFile(filepath.Join(c.Deploy, "classes", "default.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	class := strings.Replace(strings.Replace(string(b), "name: default", "name: moving", 1), `is-default-class: "true"`,
		`is-default-class: "false"`, 1)
	const dropped = "  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: old}, spec: {hard: {count/events: 500}}}\n"
	const droppedKey = "count/leases.coordination.k8s.io"
	revision := func() string {
		out, err := c.Kubectl("admin", "get", "namespaceclass", "moving", "-o", "jsonpath={.status.revision}")
		if err != nil {
			t.Fatal(out)
		}
		return out
	}
	var pool []string
	var now string
	fill := func() {
		apply(t, c, strings.Replace(class, "  objects:\n", "  objects:\n"+dropped, 1))
		for range 260 { // a namespace for each fault in each call
			tn := tns(fresh(), time.Hour)
			tn.Spec.ClassName = "moving"
			if err := testenv.Eventually(60*time.Second, func() error {
				_, err := alice.Create(ctx, tn, metav1.CreateOptions{})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			pool = append(pool, tn.Name)
		}
		was := revision()
		apply(t, c, strings.Replace(strings.Replace(class, `pods: "50"`, `pods: "60"`, 1), droppedKey+`: "50"`, "", 1))
		if err := testenv.Eventually(60*time.Second, func() error {
			if now = revision(); now == was {
				return errOf("the class has not changed")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return operation{
		name: "refresh",
		prepare: func() string {
			if now == "" {
				fill()
			}
			if len(pool) == 0 {
				t.Fatal("there is no namespace to refresh")
			}
			name := pool[0]
			pool = pool[1:]
			return name
		},
		try: func(name string) error {
			tn, err := alice.Get(ctx, name)
			if err != nil {
				return err
			}
			_, err = alice.Refresh(ctx, tn, now, metav1.PatchOptions{})
			return err
		},
		holds: func(name string, err error) error {
			if err != nil { // any state in between, but never without guard rails
				return guarded(ctx, kube, name)
			}
			return nil
		},
		again: true,
		finally: func(name string) error {
			if err := complete(ctx, kube, name, "alice"); err != nil {
				return err
			}
			ns, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			quota, err := kube.CoreV1().ResourceQuotas(name).Get(ctx, "tenama", metav1.GetOptions{})
			if err != nil {
				return err
			}
			if limit, there := quota.Spec.Hard[droppedKey]; there {
				return fmt.Errorf("%s still has the key that the class no longer has: %s", name, limit.String())
			}
			old, err := kube.CoreV1().ResourceQuotas(name).Get(ctx, "old", metav1.GetOptions{})
			if err != nil || len(old.Spec.Hard) > 0 {
				return fmt.Errorf("%s still has the quota that the class no longer has: %v, %w", name, old.Spec.Hard, err)
			}
			binding, err := kube.RbacV1().RoleBindings(name).Get(ctx, "tenama:broker", metav1.GetOptions{})
			if err != nil {
				return err
			}
			var reserved corev1.ResourceList
			if err := json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationReserved]), &reserved); err != nil {
				return err
			}
			if quota.Spec.Hard.Pods().Value() != 60 || reserved.Pods().Value() != 60 ||
				ns.Annotations[v1alpha1.AnnotationClassRevision] != now ||
				!strings.Contains(binding.Annotations[v1alpha1.AnnotationGuardRails], `"pods":"60"`) {
				return fmt.Errorf("%s is not refreshed: quota %s, reserved %s, revision %s of %s", name, quota.Spec.Hard.Pods(),
					reserved.Pods(), ns.Annotations[v1alpha1.AnnotationClassRevision], now)
			}
			return nil
		},
	}
}
