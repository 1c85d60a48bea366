// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// A refresh that misses a fixed field would answer success, although the namespace keeps
// another role or pod security level than the class now has; one that names a field
// without a reason would make every refresh of the class impossible.
func TestChangedFixedFields(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*policyv1alpha1.NamespaceClassSpec)
		want   []string
	}{
		"nothing":  {func(*policyv1alpha1.NamespaceClassSpec) {}, nil},
		"the role": {func(s *policyv1alpha1.NamespaceClassSpec) { s.OwnerRole = "edit" }, []string{"ownerRole"}},
		"pod security": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.PodSecurity = "restricted"
		}, []string{"podSecurity"}},
		"the keys of users": {func(s *policyv1alpha1.NamespaceClassSpec) { s.UserKeys = nil }, []string{"userKeys"}},
		"network policies": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.NetworkPolicyAccess = policyv1alpha1.NetworkPolicyReadWrite
		}, []string{"networkPolicyAccess"}},
		"the default of network policies": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.NetworkPolicyAccess = "ReadOnly"
		}, nil},
		"a label": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.NamespaceLabels = map[string]policyv1alpha1.LabelValue{"team": "b"}
		}, []string{"namespaceLabels"}},
		"a label less": {func(s *policyv1alpha1.NamespaceClassSpec) { s.NamespaceLabels = nil }, nil},
		"an annotation with a value of the namespace": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.NamespaceAnnotations = map[string]policyv1alpha1.AnnotationValue{"for": "$(owner)"}
		}, nil},
		"an annotation with another value": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.NamespaceAnnotations = map[string]policyv1alpha1.AnnotationValue{"for": "$(namespace)"}
		}, []string{"namespaceAnnotations"}},
		"the lifetime, which is not fixed here": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.Lifetime.MaximumTTLSeconds = 1
		}, nil},
		"several": {func(s *policyv1alpha1.NamespaceClassSpec) {
			s.OwnerRole, s.PodSecurity = "edit", "restricted"
		}, []string{"ownerRole", "podSecurity"}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := sampleNamespace(func(ns *corev1.Namespace) {
				ns.Labels["team"], ns.Annotations["for"] = "a", "alice"
				ns.Annotations[v1alpha1.AnnotationOwnerRole] = "admin"
				ns.Annotations[v1alpha1.AnnotationPodSecurity] = "baseline"
				ns.Annotations[v1alpha1.AnnotationUserKeys] = "user.tenama.dev/*"
			})
			class := &policyv1alpha1.NamespaceClass{Spec: policyv1alpha1.NamespaceClassSpec{
				OwnerRole: "admin", PodSecurity: "baseline", UserKeys: []string{"user.tenama.dev/*"},
				NamespaceLabels: map[string]policyv1alpha1.LabelValue{"team": "a"},
			}}
			c.change(&class.Spec)
			got, err := changedFixedFields(ns, class, Values(ns))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What classes dropped over time must not make a record that is too large to be read:
// every later refresh and inspection would fail.
func TestAddLeft(t *testing.T) {
	large := func(name string) runtime.Object {
		return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"a": strings.Repeat("x", 50<<10)}}}
	}
	m := &Manifests{Raw: []runtime.RawExtension{{Raw: []byte(`{"kind":"ResourceQuota","apiVersion":"v1","metadata":` +
		`{"name":"q"},"spec":{"hard":{"pods":"5"}}}`)}}}
	forgotten, err := m.addLeft([]runtime.Object{large("a"), large("b"), large("c"), large("d")})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`ServiceAccount "c"`, `ServiceAccount "d"`}; !slices.Equal(forgotten, want) {
		t.Errorf("not recorded: %q, want %q", forgotten, want)
	}
	if len(m.Objects) != 4 {
		t.Errorf("%d objects are changed, want 4", len(m.Objects))
	}
	if objs, err := policyv1alpha1.DecodeGuardRails(m.Raw, nil); err != nil || len(objs) != 3 {
		t.Errorf("the record has %d objects, %v", len(objs), err)
	}
}
