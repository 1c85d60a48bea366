// SPDX-License-Identifier: Apache-2.0

package guardrails

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Diff returns the first field in which an object differs from the wanted one; empty
// if there is none. Fields that kube-apiserver defaults, and additions of others that
// do not weaken the object (labels, further keys of a quota), do not count.
func Diff(want, have runtime.Object) string {
	wm, hm := metaOf(want), metaOf(have)
	own := OwnLabels()
	for k, v := range wm.GetLabels() {
		if _, over := own[k]; !over && hm.GetLabels()[k] != v { // the broker's own take precedence over the class's
			return fmt.Sprintf("metadata.labels[%s]", k)
		}
	}
	for k, v := range wm.GetAnnotations() {
		if hm.GetAnnotations()[k] != v {
			return fmt.Sprintf("metadata.annotations[%s]", k)
		}
	}
	same := equality.Semantic.DeepEqual
	within := equality.Semantic.DeepDerivative // fields that are not set are not compared
	switch w := want.(type) {
	case *corev1.ResourceQuota:
		h := have.(*corev1.ResourceQuota)
		for k, v := range w.Spec.Hard {
			if now, ok := h.Spec.Hard[k]; !ok || now.Cmp(v) != 0 {
				return fmt.Sprintf("spec.hard[%s]", k)
			}
		}
		if len(w.Spec.Hard) == 0 && len(h.Spec.Hard) > 0 { // a quota that the class dropped is to be empty
			return "spec.hard"
		}
		if !same(w.Spec.Scopes, h.Spec.Scopes) { // each scope that is added counts fewer objects
			return "spec.scopes"
		}
		if !same(w.Spec.ScopeSelector, h.Spec.ScopeSelector) {
			return "spec.scopeSelector"
		}
	case *corev1.LimitRange:
		h := have.(*corev1.LimitRange)
		if len(w.Spec.Limits) != len(h.Spec.Limits) || !within(w.Spec.Limits, h.Spec.Limits) {
			return "spec.limits"
		}
	case *networkingv1.NetworkPolicy:
		if !same(withDefaults(w.Spec), withDefaults(have.(*networkingv1.NetworkPolicy).Spec)) {
			return "spec"
		}
	case *unstructured.Unstructured:
		for k, v := range w.Object {
			if k != "metadata" && k != "status" {
				if where := diffValue(v, have.(*unstructured.Unstructured).Object[k], k); where != "" {
					return where
				}
			}
		}
	case *corev1.ServiceAccount:
		h := have.(*corev1.ServiceAccount)
		if !within(w.AutomountServiceAccountToken, h.AutomountServiceAccountToken) {
			return "automountServiceAccountToken"
		}
		if !within(w.ImagePullSecrets, h.ImagePullSecrets) {
			return "imagePullSecrets"
		}
	}
	return ""
}

// diffValue returns the field in which have is other than want. A field that want
// does not set is not compared.
func diffValue(want, have any, where string) string {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return where
		}
		for k, v := range w {
			if at := diffValue(v, h[k], where+"."+k); at != "" {
				return at
			}
		}
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return where
		}
		for i, v := range w {
			if at := diffValue(v, h[i], fmt.Sprintf("%s[%d]", where, i)); at != "" {
				return at
			}
		}
	default:
		if !equality.Semantic.DeepEqual(want, have) {
			return where
		}
	}
	return ""
}

// withDefaults returns a network policy as kube-apiserver stores it
// (k8s.io/kubernetes pkg/apis/networking/v1/defaults.go).
func withDefaults(in networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicySpec {
	s := in.DeepCopy()
	if len(s.PolicyTypes) == 0 {
		s.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(s.Egress) != 0 {
			s.PolicyTypes = append(s.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	tcp := corev1.ProtocolTCP
	ports := func(ports []networkingv1.NetworkPolicyPort) {
		for i := range ports {
			if ports[i].Protocol == nil {
				ports[i].Protocol = &tcp
			}
		}
	}
	for i := range s.Ingress {
		ports(s.Ingress[i].Ports)
	}
	for i := range s.Egress {
		ports(s.Egress[i].Ports)
	}
	return s
}
