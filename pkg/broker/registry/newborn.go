// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// namespace is the Namespace that tn asks for, with all that is known of it from
// its birth on.
func (r *Registry) namespace(tn *v1alpha1.TemporaryNamespace, class *policyv1alpha1.NamespaceClass, owner user.Info, request string) (*corev1.Namespace, *content, error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tn.Name, GenerateName: tn.GenerateName, Annotations: map[string]string{
		v1alpha1.AnnotationOwner: owner.GetName(), v1alpha1.AnnotationOwnerGroup: tn.Spec.OwnerGroup,
	}}}
	values := policyv1alpha1.Given(ns.Name, called(ns), tn.Spec.Parameters)
	labels, err := class.Spec.Labels(values)
	if err != nil {
		return nil, nil, fmt.Errorf("make labels of class %q: %w", class.Name, err)
	}
	annotations, err := class.Spec.Annotations(values)
	if err != nil {
		return nil, nil, fmt.Errorf("make annotations of class %q: %w", class.Name, err)
	}
	labels[labelManagedBy] = managedBy
	labels[labelPodSecurity] = string(class.Spec.PodSecurity)
	labels[v1alpha1.LabelManaged] = "true"
	labels[v1alpha1.LabelOwner] = v1alpha1.OwnerHash(owner.GetName())
	labels[v1alpha1.LabelClass] = class.Name
	annotations[v1alpha1.AnnotationOwner] = owner.GetName()
	if g := tn.Spec.OwnerGroup; g != "" {
		annotations[v1alpha1.AnnotationOwnerGroup] = g
		labels[v1alpha1.LabelOwner] = v1alpha1.GroupHash(g)
	}
	annotations[v1alpha1.AnnotationOwnerRole] = class.Spec.OwnerRole
	annotations[v1alpha1.AnnotationPodSecurity] = string(class.Spec.PodSecurity)
	put(annotations, v1alpha1.AnnotationUserKeys, strings.Join(class.Spec.UserKeys, ","))
	if class.Spec.NetworkPolicyAccess == policyv1alpha1.NetworkPolicyReadWrite {
		annotations[v1alpha1.AnnotationNetworkPolicyAccess] = string(policyv1alpha1.NetworkPolicyReadWrite)
	}
	annotations[v1alpha1.AnnotationClassRevision] = class.Status.Revision
	bound(annotations, class.Spec.Lifetime)
	annotations[v1alpha1.AnnotationCreator] = r.Replica
	put(annotations, v1alpha1.AnnotationRequestID, tn.Annotations[v1alpha1.AnnotationRequestID])
	ns.Labels, ns.Annotations = labels, annotations

	what, err := r.content(class, values)
	if err != nil {
		return nil, nil, err
	}
	var groups, parameters any
	if named := r.Admission.Groups(append(slices.Clone(owner.GetGroups()), tn.Spec.OwnerGroup)); len(named) > 0 {
		groups = named
	}
	if len(tn.Spec.Parameters) > 0 {
		parameters = tn.Spec.Parameters
	}
	for key, v := range map[string]any{
		v1alpha1.AnnotationReserved: policyv1alpha1.Reserved(what.objs), v1alpha1.AnnotationGroups: groups,
		v1alpha1.AnnotationParameters: parameters, v1alpha1.AnnotationObject: clientMeta{Request: request},
	} {
		if v == nil {
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, nil, fmt.Errorf("encode %q of %q: %w", key, tn.Name, err)
		}
		annotations[key] = string(b)
	}
	pass(ns, &v1alpha1.TemporaryNamespace{}, tn)
	return ns, what, store(ns, tn, &v1alpha1.TemporaryNamespace{})
}

// content is what a class puts into a namespace: as it is recorded, and decoded.
type content struct {
	raw  []runtime.RawExtension
	objs []runtime.Object
}

func (r *Registry) content(class *policyv1alpha1.NamespaceClass, values policyv1alpha1.Values) (*content, error) {
	raw, err := class.Spec.Expand(values)
	if err != nil {
		return nil, fmt.Errorf("fill in class %q: %w", class.Name, err)
	}
	objs, err := policyv1alpha1.DecodeGuardRails(raw, r.Kinds)
	if err != nil {
		return nil, fmt.Errorf("decode class %q: %w", class.Name, err)
	}
	return &content{raw, objs}, nil
}

// bound records what bounds the life of a namespace of a class.
func bound(annotations map[string]string, life policyv1alpha1.Lifetime) {
	if life.Type != policyv1alpha1.LifetimeFixed {
		put(annotations, v1alpha1.AnnotationLifetime, string(life.Type))
	}
	if life.Type != policyv1alpha1.LifetimeUnbounded {
		annotations[v1alpha1.AnnotationMaximumTTL] = strconv.FormatInt(life.MaximumTTLSeconds, 10)
	}
	if n := life.MaximumExtensions; n != nil {
		annotations[v1alpha1.AnnotationMaximumExtensions] = strconv.Itoa(int(*n))
	}
}

// values are what $(NAME) stands for in the objects of ns.
func values(ns *corev1.Namespace) policyv1alpha1.Values {
	return policyv1alpha1.Given(ns.Name, called(ns), parameters(ns))
}

func parameters(ns *corev1.Namespace) map[string]string {
	var out map[string]string
	_ = json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationParameters]), &out)
	return out
}
