// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// apply applies a manifest as an administrator.
func apply(t *testing.T, c *testenv.Cluster, manifest string) {
	t.Helper()
	if out, err := c.KubectlIn("admin", manifest, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
}

const metered = `
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: metered}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 7200}
  parameters: [{name: cpu, values: ["1", "2", "4"], default: "1"}]
  objects:
  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.cpu: $(cpu), pods: "10"}}}
`

func budget(name, spec string) string {
	return "apiVersion: policy.tenama.dev/v1alpha1\nkind: NamespaceBudget\n" +
		"metadata: {name: " + name + "}\nspec: " + spec + "\n"
}

func of(class string, parameters map[string]string, name string) *v1alpha1.TemporaryNamespace {
	tn := tns(name, time.Hour)
	tn.Spec.ClassName, tn.Spec.Parameters = class, parameters
	return tn
}

// fill creates namespaces as many users at once, and returns the clients that got one.
func fill(t *testing.T, c *testenv.Cluster, users int, parameters map[string]string) map[string]*client.Client {
	t.Helper()
	var mu sync.Mutex
	got := map[string]*client.Client{}
	var wg sync.WaitGroup
	for i := range users {
		config, err := c.ConfigFor(fmt.Sprintf("user-%d", i), "devs")
		if err != nil {
			t.Fatal(err)
		}
		who := as(t, config)
		wg.Go(func() {
			name := unique("fill")
			_, err := who.Create(t.Context(), of("metered", parameters, name), metav1.CreateOptions{})
			if budget, _ := client.IsOverBudget(err); err != nil && budget == "" {
				t.Errorf("user-%d: %v", i, err)
			}
			if err == nil {
				mu.Lock()
				got[name] = who
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return got
}

// Several replicas together must admit exactly as many namespaces as a budget allows,
// by count and by sum; requests that they refuse must not use up any of the budget.
func TestBudgetIsExact(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	// Before the replicas start, so that all of them know the budget when they serve.
	apply(t, c, metered+"---\n"+
		budget("shared", "{classNames: [metered], total: {count/temporarynamespaces: 7, requests.cpu: 10}}"))
	replicas, err := c.StartReplicas(ctx, port, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(replicas.Stop)
	kube := c.Client("admin")
	left := func() (ready, refused int) {
		t.Helper()
		list, err := kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelClass + "=metered"})
		if err != nil {
			t.Fatal(err)
		}
		for _, ns := range list.Items {
			if ns.Annotations[v1alpha1.AnnotationReady] == "true" && ns.DeletionTimestamp == nil {
				ready++
			} else if ns.Annotations[v1alpha1.AnnotationRefused] == "" && ns.DeletionTimestamp == nil {
				t.Errorf("%s is neither ready nor refused", ns.Name)
			} else {
				refused++
			}
		}
		return ready, refused
	}
	got := fill(t, c, 40, nil) // by count
	if ready, refused := left(); len(got) != 7 || ready != 7 {
		t.Fatalf("%d were admitted, %d exist (%d rejected), the limit is 7", len(got), ready, refused)
	}
	for name, who := range got {
		if _, err := who.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		delete(got, name)
		if len(got) == 4 {
			break
		}
	}
	err = testenv.Eventually(60*time.Second, func() error { // namespaces count until they are gone
		out, err := c.Kubectl("admin", "get", "namespacebudget", "shared", "-o",
			"jsonpath={.status.namespaces} {.status.used} {.status.nearest}")
		if err != nil ||
			!strings.HasPrefix(out, `4 {"count/temporarynamespaces":"4","requests.cpu":"4"} count/temporarynamespaces 4 of 7`) {
			return errOf(out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	more := fill(t, c, 20, map[string]string{"cpu": "4"}) // by sum: 4 + 4, and 4 more would exceed it
	if ready, _ := left(); len(more) != 1 || ready != 5 {
		t.Errorf("%d of 4 cpu each were admitted, %d exist: 4 of 10 were in use", len(more), ready)
	}
	more = fill(t, c, 20, map[string]string{"cpu": "2"})
	if ready, _ := left(); len(more) != 1 || ready != 6 {
		t.Errorf("%d of 2 cpu each were admitted, %d exist: 8 of 10 were in use", len(more), ready)
	}
}
