// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// orderOfAccess watches all bindings of owners and fails the test if a guard rail was
// written after the binding, according to the order of resource versions. The function
// that it returns returns the number of bindings for which the order is certain.
func orderOfAccess(t *testing.T, kube kubernetes.Interface) func() int {
	t.Helper()
	ctx := t.Context()
	w, err := kube.RbacV1().RoleBindings("").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=tenama:owner"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range w.ResultChan() {
			binding, ok := e.Object.(*rbacv1.RoleBinding)
			if !ok || e.Type != watch.Added {
				continue
			}
			ns := binding.Namespace
			policy, perr := kube.NetworkingV1().NetworkPolicies(ns).Get(ctx, "tenama", metav1.GetOptions{})
			limits, lerr := kube.CoreV1().LimitRanges(ns).Get(ctx, "tenama", metav1.GetOptions{})
			quota, qerr := kube.CoreV1().ResourceQuotas(ns).Get(ctx, "tenama", metav1.GetOptions{})
			if err := errors.Join(perr, lerr, qerr); err != nil {
				if ctx.Err() == nil && !ending(ctx, kube, ns) {
					t.Errorf("%s: the owner got access, although: %v", ns, err)
				}
				continue
			}
			if number(policy.ResourceVersion) > number(binding.ResourceVersion) ||
				number(limits.ResourceVersion) > number(binding.ResourceVersion) || len(quota.Status.Hard) == 0 {
				t.Errorf("%s: the owner got access before the guard rails existed", ns)
			}
			if number(quota.ResourceVersion) < number(binding.ResourceVersion) { // not written since, so it was already in force
				mu.Lock()
				seen++
				mu.Unlock()
			}
		}
	}()
	return func() int {
		w.Stop()
		<-done
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

func ending(ctx context.Context, kube kubernetes.Interface, name string) bool {
	ns, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	return apierrors.IsNotFound(err) || err == nil && ns.DeletionTimestamp != nil
}

func number(version string) uint64 {
	v, _ := strconv.ParseUint(version, 10, 64)
	return v
}
