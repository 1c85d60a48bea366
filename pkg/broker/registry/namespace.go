// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// buildNamespace returns the Namespace for tn with its complete initial state, and the
// objects of its class. request is the fingerprint of the request.
func (r *Registry) buildNamespace(tn *v1alpha1.TemporaryNamespace, class *policyv1alpha1.NamespaceClass,
	owner user.Info, request string) (*corev1.Namespace, *lifecycle.Manifests, error) {
	values := policyv1alpha1.Given(tn.Name, cmp.Or(tn.Spec.OwnerGroup, owner.GetName()), tn.Spec.Parameters)
	labels, err := class.Spec.Labels(values)
	if err != nil {
		return nil, nil, fmt.Errorf("render the labels of class %q: %w", class.Name, err)
	}
	annotations, err := class.Spec.Annotations(values)
	if err != nil {
		return nil, nil, fmt.Errorf("render the annotations of class %q: %w", class.Name, err)
	}
	labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedBy
	labels[v1alpha1.LabelPodSecurity] = string(class.Spec.PodSecurity)
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
	setOrDelete(annotations, v1alpha1.AnnotationUserKeys, strings.Join(class.Spec.UserKeys, ","))
	if class.Spec.NetworkPolicyAccess == policyv1alpha1.NetworkPolicyReadWrite {
		annotations[v1alpha1.AnnotationNetworkPolicyAccess] = string(policyv1alpha1.NetworkPolicyReadWrite)
	}
	annotations[v1alpha1.AnnotationClassRevision] = class.Status.Revision
	setLifetime(annotations, class.Spec.Lifetime)
	annotations[v1alpha1.AnnotationCreator] = r.Replica
	setOrDelete(annotations, v1alpha1.AnnotationRequestID, tn.Annotations[v1alpha1.AnnotationRequestID])

	manifests, err := r.Lifecycle.Render(class, values)
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
		v1alpha1.AnnotationReserved: policyv1alpha1.Reserved(manifests.Objects), v1alpha1.AnnotationGroups: groups,
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
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tn.Name, GenerateName: tn.GenerateName, Labels: labels,
		Annotations: annotations}}
	none := &v1alpha1.TemporaryNamespace{}
	propagate(ns, none, tn)
	return ns, manifests, encode(ns, tn, none)
}

// setLifetime records the bounds on the lifetime of a namespace of a class.
func setLifetime(annotations map[string]string, life policyv1alpha1.Lifetime) {
	if life.Type != v1alpha1.LifetimeFixed {
		setOrDelete(annotations, v1alpha1.AnnotationLifetime, string(life.Type))
	}
	if life.Type != v1alpha1.LifetimeUnbounded {
		annotations[v1alpha1.AnnotationMaximumTTL] = strconv.FormatInt(life.MaximumTTLSeconds, 10)
	}
	if s := life.IdleTTLSeconds; s != nil {
		annotations[v1alpha1.AnnotationIdleTTL] = strconv.FormatInt(*s, 10)
	}
	if n := life.MaximumExtensions; n != nil {
		annotations[v1alpha1.AnnotationMaximumExtensions] = strconv.Itoa(int(*n))
	}
}
