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

// quotaKeys are the unqualified keys that ResourceQuota accepts (k8s.io/kubernetes
// pkg/apis/core/helper, IsStandardQuotaResourceName).
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

// hint returns a suggestion for the key that was probably intended by k, or "".
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

// checkAmounts reports keys that ResourceQuota does not accept, and amounts that are
// negative or too large.
func checkAmounts(l corev1.ResourceList, path string) error {
	var errs []error
	for _, k := range sortedKeys(l) {
		v := l[k]
		switch {
		case k == ResourceTemporaryNamespaces && path == "spec.hard":
			errs = append(errs, fmt.Errorf("%s: a quota cannot limit %q%s", path, k, hint(string(k))))
		case !knownQuotaKey(string(k)):
			errs = append(errs, fmt.Errorf("%s: Kubernetes has no quota %q%s", path, k, hint(string(k))))
		case v.Sign() < 0:
			errs = append(errs, fmt.Errorf("%s[%s]: %s is negative", path, k, v.String()))
		case v.Cmp(most) > 0:
			errs = append(errs, fmt.Errorf("%s[%s]: %s is more than %s", path, k, v.String(), most.String()))
		}
	}
	return errors.Join(errs...)
}

// most is the upper limit of every amount, so that the sum for any number of namespaces
// can be represented in whole thousandths without overflow.
var most = resource.MustParse("1E")

func sortedKeys(l corev1.ResourceList) []corev1.ResourceName {
	keys := make([]corev1.ResourceName, 0, len(l))
	for k := range l {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Normal returns l with one key for each resource: ResourceQuota has two keys for some
// resources (cpu is requests.cpu, pods is count/pods). If both keys are set, the lower
// amount is used.
func Normal(l corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{}
	for k, v := range l {
		switch name := strings.TrimPrefix(string(k), "count/"); {
		case k == corev1.ResourceCPU || k == corev1.ResourceMemory || k == corev1.ResourceEphemeralStorage ||
			strings.HasPrefix(string(k), "hugepages-"):
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

// Reserved returns the amounts that a namespace with these objects is charged against
// the budgets: one namespace, and the hard limit of each resource. If several quotas
// limit a resource, the lowest limit is used. A quota with scopes applies to some
// objects only and does not limit the total, so it is ignored.
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

// Check reports the parts of the budget that are invalid.
func (s *NamespaceBudgetSpec) Check() error {
	errs := []error{checkAmounts(s.Total, "spec.total"), checkAmounts(s.PerUser, "spec.perUser")}
	seen := map[string]bool{}
	for i, g := range s.Groups {
		errs = append(errs, checkAmounts(g.Hard, fmt.Sprintf("spec.groups[%d].hard", i)))
		if seen[g.Name] {
			errs = append(errs, fmt.Errorf("spec.groups[%d]: duplicate group %q", i, g.Name))
		}
		seen[g.Name] = true
	}
	if len(s.Total)+len(s.PerUser)+len(s.Groups) == 0 {
		errs = append(errs, errors.New("spec: at least one of total, perUser and groups is required"))
	}
	return errors.Join(errs...)
}

// Counts reports whether namespaces of a class count in the budget.
func (s *NamespaceBudgetSpec) Counts(class string) bool {
	return len(s.ClassNames) == 0 || slices.Contains(s.ClassNames, class)
}
