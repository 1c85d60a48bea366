// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// quotaKeys are the unqualified keys that ResourceQuota accepts
// (k8s.io/kubernetes pkg/apis/core/helper, IsStandardQuotaResourceName).
var quotaKeys = map[string]bool{
	"cpu": true, "memory": true, "ephemeral-storage": true,
	"requests.cpu": true, "requests.memory": true, "requests.storage": true, "requests.ephemeral-storage": true,
	"limits.cpu": true, "limits.memory": true, "limits.ephemeral-storage": true,
	"pods": true, "services": true, "replicationcontrollers": true, "resourcequotas": true, "secrets": true,
	"configmaps": true, "persistentvolumeclaims": true, "services.nodeports": true, "services.loadbalancers": true,
}

func knownQuotaKey(k string) bool {
	return quotaKeys[k] || strings.Contains(k, "/") || // count/deployments.apps, requests.example.com/gpu
		strings.HasPrefix(k, "hugepages-") || strings.HasPrefix(k, "requests.hugepages-") ||
		strings.Contains(k, ".storageclass.storage.k8s.io") || strings.Contains(k, ".deviceclass.resource.k8s.io")
}

// hint names what somebody who wrote k may have meant.
func hint(k string) string {
	meant := map[string]string{
		"cores": "requests.cpu", "cpus": "requests.cpu", "requests.cores": "requests.cpu", "limits.cores": "limits.cpu",
		"ram": "requests.memory", "storage": "requests.storage", "disk": "requests.storage", "pvcs": "persistentvolumeclaims",
		"loadbalancers": "services.loadbalancers", "nodeports": "services.nodeports", "pod": "pods",
		"deployments": "count/deployments.apps", "jobs": "count/jobs.batch", "ingresses": "count/ingresses.networking.k8s.io",
	}[k]
	switch {
	case k == "namespaces" || k == "namespace" || k == "count/namespaces" || k == string(ResourceTemporaryNamespaces):
		return fmt.Sprintf("; the number of namespaces is bounded by a NamespaceBudget, with %q", ResourceTemporaryNamespaces)
	case meant == "":
		return ""
	}
	return fmt.Sprintf("; use %q", meant)
}

// checkAmounts reports keys that ResourceQuota does not know, and amounts that
// make no sense.
func checkAmounts(l corev1.ResourceList, path string) error {
	var errs []error
	for _, k := range sortedKeys(l) {
		v := l[k]
		switch {
		case k == ResourceTemporaryNamespaces && path == "spec.hard":
			errs = append(errs, fmt.Errorf("%s: no quota can hold %q%s", path, k, hint(string(k))))
		case !knownQuotaKey(string(k)):
			errs = append(errs, fmt.Errorf("%s: Kubernetes knows no quota %q%s", path, k, hint(string(k))))
		case v.Sign() < 0:
			errs = append(errs, fmt.Errorf("%s[%s]: %s is negative", path, k, v.String()))
		case v.Cmp(most) > 0:
			errs = append(errs, fmt.Errorf("%s[%s]: %s is more than %s", path, k, v.String(), most.String()))
		}
	}
	return errors.Join(errs...)
}

// most bounds every amount, so that the sum of any number of namespaces can be
// written in whole thousandths without overflow.
var most = resource.MustParse("1E")

func sortedKeys(l corev1.ResourceList) []corev1.ResourceName {
	keys := make([]corev1.ResourceName, 0, len(l))
	for k := range l {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Normal writes amounts with one key for each thing: ResourceQuota has two for
// some (cpu is requests.cpu, pods is count/pods); of both, the lower counts.
func Normal(l corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{}
	for k, v := range l {
		switch name := strings.TrimPrefix(string(k), "count/"); {
		case k == corev1.ResourceCPU || k == corev1.ResourceMemory || k == corev1.ResourceEphemeralStorage || strings.HasPrefix(string(k), "hugepages-"):
			k = "requests." + k
		case name != string(k) && quotaKeys[name]:
			k = corev1.ResourceName(name)
		}
		if had, ok := out[k]; !ok || v.Cmp(had) < 0 {
			out[k] = v.DeepCopy()
		}
	}
	return out
}

// Reserved is what a namespace with these objects takes of the budgets: one
// namespace, and of each thing the hard limit. Of several quotas the lowest holds;
// one with scopes bounds only some objects, and so nothing in all.
func Reserved(objects []runtime.Object) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, obj := range objects {
		q, ok := obj.(*corev1.ResourceQuota)
		if !ok || len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue
		}
		for k, v := range Normal(q.Spec.Hard) {
			if had, ok := out[k]; !ok || v.Cmp(had) < 0 {
				out[k] = v
			}
		}
	}
	out[ResourceTemporaryNamespaces] = resource.MustParse("1")
	return out
}

// Check reports what of the budget cannot be understood.
func (s *NamespaceBudgetSpec) Check() error {
	errs := []error{checkAmounts(s.Total, "spec.total"), checkAmounts(s.PerUser, "spec.perUser")}
	seen := map[string]bool{}
	for i, g := range s.Groups {
		errs = append(errs, checkAmounts(g.Hard, fmt.Sprintf("spec.groups[%d].hard", i)))
		if seen[g.Name] {
			errs = append(errs, fmt.Errorf("spec.groups[%d]: group %q stands twice", i, g.Name))
		}
		seen[g.Name] = true
	}
	if len(s.Total)+len(s.PerUser)+len(s.Groups) == 0 {
		errs = append(errs, errors.New("spec: it limits nothing: say total, perUser or groups"))
	}
	return errors.Join(errs...)
}

// Counts tells whether namespaces of a class count in the budget.
func (s *NamespaceBudgetSpec) Counts(class string) bool {
	return len(s.ClassNames) == 0 || slices.Contains(s.ClassNames, class)
}
