// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// guardRails decodes the kinds that every class can contain, strictly: an unknown field
// is an error.
var guardRails = func() runtime.Decoder {
	s := runtime.NewScheme()
	s.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.ResourceQuota{}, &corev1.LimitRange{}, &corev1.ServiceAccount{})
	s.AddKnownTypes(networkingv1.SchemeGroupVersion, &networkingv1.NetworkPolicy{})
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
}()

// MaxObjectsBytes is the maximum total size of the objects of a class. A copy of the
// objects is stored with each namespace.
const MaxObjectsBytes = 128 << 10

// GuardRails returns the objects of the class, expanded with the values and decoded;
// each call returns new objects. The error describes every invalid entry.
func (s *NamespaceClassSpec) GuardRails(values Values, kinds ObjectKinds) ([]runtime.Object, error) {
	raw, err := s.Expand(values)
	if err != nil {
		return nil, err
	}
	return DecodeGuardRails(raw, kinds)
}

// DecodeGuardRails is like GuardRails, for objects that are stored outside of a class.
// Objects of additional kinds are returned as *unstructured.Unstructured.
func DecodeGuardRails(objects []runtime.RawExtension, kinds ObjectKinds) ([]runtime.Object, error) {
	var out []runtime.Object
	var errs []error
	size := 0
	seen := map[string]bool{}
	for i, raw := range objects {
		size += len(raw.Raw)
		obj, err := guardRail(raw.Raw, kinds)
		if err == nil {
			m, _ := meta.Accessor(obj)
			id := fmt.Sprintf("%s %q", obj.GetObjectKind().GroupVersionKind(), m.GetName())
			if seen[id] {
				err = fmt.Errorf("duplicate %s %q", obj.GetObjectKind().GroupVersionKind().Kind, m.GetName())
			}
			seen[id] = true
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.objects[%d]: %w", i, err))
			continue
		}
		out = append(out, obj)
	}
	if size > MaxObjectsBytes {
		errs = append(errs, fmt.Errorf("spec.objects: take %d bytes; at most %d can be stored with each namespace", size,
			MaxObjectsBytes))
	}
	return out, errors.Join(errs...)
}

func guardRail(raw []byte, kinds ObjectKinds) (runtime.Object, error) {
	obj, gvk, err := guardRails.Decode(raw, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		if _, ok := kinds.Find(*gvk); !ok {
			return nil, fmt.Errorf("kind %q of %q is not one of %s; --object-kinds of the broker adds others "+
				"(deploy/components/kinds)",
				gvk.Kind, gvk.GroupVersion(), kinds)
		}
		obj, _, err = unstructured.UnstructuredJSONScheme.Decode(raw, gvk, nil)
	}
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	if msgs := validation.IsDNS1123Subdomain(m.GetName()); len(msgs) > 0 {
		return nil, fmt.Errorf("%s: metadata.name %q: %s", gvk.Kind, m.GetName(), strings.Join(msgs, "; "))
	}
	if m.GetNamespace() != "" {
		return nil, fmt.Errorf("%s %q: metadata.namespace must be empty: it is created in every namespace of the class",
			gvk.Kind, m.GetName())
	}
	if m.GetName() == "tenama-probe" {
		return nil, fmt.Errorf("%s: metadata.name %q is reserved", gvk.Kind, m.GetName())
	}
	if err := onlyOwnMetadata(m); err != nil {
		return nil, fmt.Errorf("%s %q: %w", gvk.Kind, m.GetName(), err)
	}
	if _, ok := obj.(*corev1.ServiceAccount); ok && m.GetName() == "default" {
		return nil, errors.New("ServiceAccount \"default\" is created by Kubernetes in every namespace; choose another name")
	}
	if q, ok := obj.(*corev1.ResourceQuota); ok {
		if err := checkAmounts(q.Spec.Hard, "spec.hard"); err != nil {
			return nil, fmt.Errorf("ResourceQuota %q: %w", m.GetName(), err)
		}
	}
	return obj, nil
}

// onlyOwnMetadata rejects metadata that the server sets, and metadata that could block
// the deletion of the namespace.
func onlyOwnMetadata(m metav1.Object) error {
	if m.GetResourceVersion() != "" || m.GetUID() != "" || m.GetGenerateName() != "" || len(m.GetFinalizers()) > 0 ||
		len(m.GetOwnerReferences()) > 0 {
		return errors.New("metadata may hold name, labels and annotations only")
	}
	errs := metav1validation.ValidateLabels(m.GetLabels(), field.NewPath("metadata", "labels"))
	return append(errs, apivalidation.ValidateAnnotations(m.GetAnnotations(),
		field.NewPath("metadata", "annotations"))...).ToAggregate()
}

// ValidateKeys reports keys of namespaceLabels and namespaceAnnotations that are
// invalid on a Namespace, or that userKeys allows users to set.
func (s *NamespaceClassSpec) ValidateKeys() error {
	var errs field.ErrorList
	for k := range s.NamespaceLabels {
		errs = append(errs, metav1validation.ValidateLabelName(k, field.NewPath("spec", "namespaceLabels"))...)
	}
	for k := range s.NamespaceAnnotations {
		errs = append(errs, metav1validation.ValidateLabelName(k, field.NewPath("spec", "namespaceAnnotations"))...)
	}
	for i, p := range s.UserKeys {
		for k := range s.NamespaceLabels {
			if KeyPasses(s.UserKeys[i:i+1], k) {
				errs = append(errs, field.Invalid(field.NewPath("spec", "userKeys").Index(i), p,
					fmt.Sprintf("allows users to set %q, which namespaceLabels sets", k)))
			}
		}
		for k := range s.NamespaceAnnotations {
			if KeyPasses(s.UserKeys[i:i+1], k) {
				errs = append(errs, field.Invalid(field.NewPath("spec", "userKeys").Index(i), p,
					fmt.Sprintf("allows users to set %q, which namespaceAnnotations sets", k)))
			}
		}
	}
	return errs.ToAggregate()
}

// KeyPasses reports whether a label or annotation with this key is copied from a
// TemporaryNamespace to its Namespace, given the user keys.
func KeyPasses(userKeys []string, key string) bool {
	for _, p := range userKeys {
		if prefix, all := strings.CutSuffix(p, "/*"); p != "" && (p == key || all && strings.HasPrefix(key, prefix+"/")) {
			return true
		}
	}
	return false
}

// Revision returns an identifier of the configuration that the spec gives to
// namespaces: 10 hexadecimal digits. Fields do not contribute to it if they are
// descriptive, affect only new namespaces, or are fixed in each namespace at its
// creation.
func (s *NamespaceClassSpec) Revision() string {
	b, err := json.Marshal(s)
	var fields map[string]any
	if err != nil || json.Unmarshal(b, &fields) != nil {
		return "" // unreachable: the spec was decoded from JSON
	}
	for _, k := range []string{"description", "lifetime", "prefix", "parameters"} {
		delete(fields, k)
	}
	if b, err = json.Marshal(fields); err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:5])
}
