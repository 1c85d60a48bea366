// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

func amounts(kv ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(kv); i += 2 {
		out[corev1.ResourceName(kv[i])] = resource.MustParse(kv[i+1])
	}
	return out
}

// TestReserved verifies that a namespace is charged the lowest of several quotas, under
// one key for each resource, and nothing for quotas that apply to some objects only.
func TestReserved(t *testing.T) {
	quota := func(l corev1.ResourceList, scopes ...corev1.ResourceQuotaScope) runtime.Object {
		return &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: l, Scopes: scopes}}
	}
	for name, c := range map[string]struct {
		objects []runtime.Object
		want    corev1.ResourceList
	}{
		"nothing": {nil, amounts("count/temporarynamespaces", "1")},
		"one quota": {[]runtime.Object{quota(amounts("requests.cpu", "4", "pods", "10"))},
			amounts("count/temporarynamespaces", "1", "requests.cpu", "4", "pods", "10")},
		"the lowest holds": {[]runtime.Object{quota(amounts("pods", "10")), quota(amounts("pods", "5"))},
			amounts("count/temporarynamespaces", "1", "pods", "5")},
		"two names": {[]runtime.Object{quota(amounts("cpu", "4", "requests.cpu", "3", "count/pods", "7", "memory", "1Gi"))},
			amounts("count/temporarynamespaces", "1", "requests.cpu", "3", "pods", "7", "requests.memory", "1Gi")},
		"scopes": {[]runtime.Object{quota(amounts("pods", "5"), corev1.ResourceQuotaScopeBestEffort)},
			amounts("count/temporarynamespaces", "1")},
		"others": {[]runtime.Object{&corev1.LimitRange{}}, amounts("count/temporarynamespaces", "1")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Reserved(c.objects); !equality.Semantic.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestBudgetCheck(t *testing.T) {
	for name, c := range map[string]struct {
		spec NamespaceBudgetSpec
		want string // substring of the error; empty: no error
	}{
		"total": {NamespaceBudgetSpec{Total: amounts("count/temporarynamespaces", "10", "requests.cpu", "50",
			"requests.nvidia.com/gpu", "8")}, ""},
		"nothing": {NamespaceBudgetSpec{}, "at least one of total, perUser and groups is required"},
		"unknown": {NamespaceBudgetSpec{Total: amounts("cores", "1")},
			`spec.total: Kubernetes has no quota "cores"; use "requests.cpu"`},
		"namespaces": {NamespaceBudgetSpec{PerUser: amounts("namespaces", "1")}, `with "count/temporarynamespaces"`},
		"negative": {NamespaceBudgetSpec{Groups: []GroupLimit{{Name: "devs", Hard: amounts("pods", "-1")}}},
			"spec.groups[0].hard[pods]: -1 is negative"},
		"overflowing": {NamespaceBudgetSpec{Total: amounts("requests.memory", "9999999999E")}, "more than 1E"},
		"group, twice": {NamespaceBudgetSpec{Groups: []GroupLimit{{Name: "devs", Hard: amounts("pods", "1")},
			{Name: "devs", Hard: amounts("pods", "2")}}}, "duplicate group"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.spec.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
