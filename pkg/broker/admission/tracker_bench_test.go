// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// BenchmarkDecision measures an admission and a rejection among 10,000 namespaces
// and ten budgets.
func BenchmarkDecision(b *testing.B) {
	tracker := New()
	var budgets []*policyv1alpha1.NamespaceBudget
	for i := range 10 {
		budgets = append(budgets, budgetOf(fmt.Sprint("b", i), policyv1alpha1.NamespaceBudgetSpec{
			Total: amounts("count/temporarynamespaces", "20000", "requests.cpu",
				"50000"), PerUser: amounts("count/temporarynamespaces", "20"),
		}))
	}
	tracker.SetBudgets(budgets)
	var all []*corev1.Namespace
	for i := range 10000 {
		all = append(all, made(wanted(fmt.Sprint("tmp-", i), fmt.Sprint("user-", i%1000), "default",
			amounts("requests.cpu", "4")), fmt.Sprint(i)))
	}
	tracker.OnList(all)
	b.Run("admitted", func(b *testing.B) {
		for i := range b.N {
			ns := wanted(fmt.Sprint("tmp-new-", i), "user-1", "default", amounts("requests.cpu", "4"))
			release, err := tracker.Reserve(b.Context(), ns)
			if err != nil {
				b.Fatal(err)
			}
			there := made(ns, fmt.Sprint("new", i))
			tracker.OnUpdate(there)
			if err := tracker.Admitted(there); err != nil {
				b.Fatal(err)
			}
			release()
			tracker.OnDelete(there)
		}
	})
	b.Run("refused", func(b *testing.B) {
		ns := wanted("tmp-new", "user-2", "default", amounts("requests.cpu", "40000"))
		for range b.N {
			if _, err := tracker.Reserve(b.Context(), ns); err == nil {
				b.Fatal("it fits")
			}
		}
	})
}
