// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// How much clients may store about one TemporaryNamespace. Each request for it takes
// several times as much memory. A change of the spec alone may add a field manager to an
// object that is full.
const (
	maxObjectBytes  = 8 << 10  // labels, annotations and owners
	maxManagedBytes = 16 << 10 // and managed fields
	spareBytes      = 4 << 10
	maxMessage      = 1 << 10 // of a condition of the Namespace: the names of finalizers are in it
)

// clientMeta is the metadata of a TemporaryNamespace that its clients write. It is
// kept in one annotation, not as labels and annotations of the Namespace: users'
// labels must not steer injectors or selectors.
type clientMeta struct {
	Labels          map[string]string           `json:"labels,omitempty"`
	Annotations     map[string]string           `json:"annotations,omitempty"`
	OwnerReferences []metav1.OwnerReference     `json:"ownerReferences,omitempty"`
	ManagedFields   []metav1.ManagedFieldsEntry `json:"managedFields,omitempty"`
	Generation      int64                       `json:"generation,omitempty"`
	ClassRevision   string                      `json:"classRevision,omitempty"` // that was asked for
	// Request is the fingerprint of the request that created it. It is not shown.
	Request string `json:"request,omitempty"`
}

// fromNamespace returns the TemporaryNamespace that a Namespace represents. It shares
// no memory with ns.
func fromNamespace(ns *corev1.Namespace) *v1alpha1.TemporaryNamespace {
	a := ns.Annotations
	tn := &v1alpha1.TemporaryNamespace{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{
			Name: ns.Name, GenerateName: ns.GenerateName, UID: v1alpha1.UIDOf(ns.UID), ResourceVersion: ns.ResourceVersion,
			CreationTimestamp: ns.CreationTimestamp, DeletionTimestamp: ns.DeletionTimestamp.DeepCopy(), Generation: 1,
		},
		Spec: v1alpha1.TemporaryNamespaceSpec{ClassName: ns.Labels[v1alpha1.LabelClass],
			Reason: a[v1alpha1.AnnotationReason]},
		Status: v1alpha1.TemporaryNamespaceStatus{Owner: a[v1alpha1.AnnotationOwner],
			OwnerGroup: a[v1alpha1.AnnotationOwnerGroup]},
	}
	tn.Status.ClassRevision, tn.Spec.OwnerGroup, tn.Spec.Parameters = a[v1alpha1.AnnotationClassRevision],
		a[v1alpha1.AnnotationOwnerGroup], v1alpha1.ParametersOf(ns)
	_ = json.Unmarshal([]byte(a[v1alpha1.AnnotationReserved]), &tn.Status.Reserved)
	var cm clientMeta
	if json.Unmarshal([]byte(a[v1alpha1.AnnotationObject]), &cm) == nil {
		tn.Labels, tn.Annotations, tn.OwnerReferences, tn.ManagedFields = cm.Labels, cm.Annotations, cm.OwnerReferences,
			cm.ManagedFields
		tn.Spec.ClassRevision, tn.Generation = cm.ClassRevision, max(1, cm.Generation)
	}
	if id := a[v1alpha1.AnnotationRequestID]; id != "" {
		if tn.Annotations == nil {
			tn.Annotations = map[string]string{}
		}
		tn.Annotations[v1alpha1.AnnotationRequestID] = id
	}
	tn.Status.History = history(a)
	if l, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err == nil {
		setLifetimeStatus(tn, l)
	}
	if tn.DeletionTimestamp != nil { // deletion changes the desired state, as for any object
		tn.Generation++
		tn.DeletionGracePeriodSeconds = new(int64)
	}
	tn.Status.ObservedGeneration = tn.Generation
	setPhase(tn, a)
	if v1alpha1.OnHold(ns) {
		tn.Status.Conditions = append(tn.Status.Conditions, holdCondition(tn, a))
	}
	if ns.DeletionTimestamp != nil {
		tn.Status.Conditions = append(tn.Status.Conditions, deletionConditions(ns, tn.Generation)...)
	}
	return tn
}

// holdCondition returns the condition by which the owner of a namespace sees that an
// administrator holds it, and why.
func holdCondition(tn *v1alpha1.TemporaryNamespace, annotations map[string]string) metav1.Condition {
	c := metav1.Condition{
		Type: v1alpha1.ConditionOnHold, Status: metav1.ConditionTrue, ObservedGeneration: tn.Generation,
		LastTransitionTime: tn.CreationTimestamp, Reason: v1alpha1.ReasonAdministrator,
		Message: fmt.Sprintf("%s keeps the namespace from expiring and from being deleted: %s",
			cmp.Or(annotations[v1alpha1.AnnotationHeldBy], "An administrator"), annotations[v1alpha1.AnnotationHold]),
	}
	if at, err := time.Parse(time.RFC3339, annotations[v1alpha1.AnnotationHeldSince]); err == nil {
		c.LastTransitionTime = metav1.NewTime(at)
	}
	return c
}

// deletionConditions returns the conditions by which Kubernetes reports why the
// deletion of a namespace has not finished, and whether the access was revoked because
// of that. Its owner cannot read them in the Namespace.
func deletionConditions(ns *corev1.Namespace, generation int64) []metav1.Condition {
	var out []metav1.Condition
	if at, err := time.Parse(time.RFC3339, ns.Annotations[v1alpha1.AnnotationAccessRevoked]); err == nil {
		out = append(out, metav1.Condition{
			Type: v1alpha1.ConditionAccessRevoked, Status: metav1.ConditionTrue, ObservedGeneration: generation,
			LastTransitionTime: metav1.NewTime(at), Reason: v1alpha1.ReasonDeletionOverdue,
			Message: "The deletion takes too long, so all access to the namespace was removed. " +
				"An administrator has to find what prevents it, such as a pod that does not end.",
		})
	}
	for _, c := range ns.Status.Conditions {
		if c.Status == corev1.ConditionTrue && strings.HasPrefix(string(c.Type), "Namespace") {
			out = append(out, metav1.Condition{
				Type: string(c.Type), Status: metav1.ConditionTrue, ObservedGeneration: generation,
				LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message[:min(len(c.Message), maxMessage)],
			})
		}
	}
	return out
}

func setLifetimeStatus(tn *v1alpha1.TemporaryNamespace, l v1alpha1.Lifetime) {
	tn.Status.Lifetime, tn.Status.Extensions, tn.Status.MaximumExtensions = l.Type, l.Extensions, l.MaximumExtensions
	created := tn.CreationTimestamp.Time
	if l.Lease > 0 {
		lease := int64(l.Lease / time.Second)
		tn.Spec.LeaseDurationSeconds = &lease
	}
	if l.Idle > 0 {
		idle := int64(l.Idle / time.Second)
		tn.Status.IdleTTLSeconds = &idle
	}
	if !l.Renewed.IsZero() {
		tn.Spec.RenewTime = &metav1.Time{Time: l.Renewed}
	}
	if at := l.Expiry(created); !created.IsZero() && !at.IsZero() {
		tn.Status.ExpirationTimestamp = &metav1.Time{Time: at}
	}
	if l.Type == v1alpha1.LifetimeUnbounded {
		return
	}
	ttl := int64(l.TTL / time.Second)
	tn.Spec.TTLSeconds = &ttl
	if l.Type == v1alpha1.LifetimeRenewable {
		most := int64(l.MaximumTTL / time.Second)
		tn.Status.MaximumTTLSeconds = &most
	}
	if !l.ExtendUntil.IsZero() {
		tn.Spec.ExtendUntil = &metav1.Time{Time: l.ExtendUntil}
	}
	if ceiling := l.Ceiling(created); !created.IsZero() && !ceiling.IsZero() {
		tn.Status.MaximumExpirationTimestamp = &metav1.Time{Time: ceiling}
	}
}

// setPhase sets the phase and the condition Ready, given the annotations of the Namespace.
func setPhase(tn *v1alpha1.TemporaryNamespace, annotations map[string]string) {
	ready := annotations[v1alpha1.AnnotationReady] == "true"
	c := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, ObservedGeneration: tn.Generation,
		LastTransitionTime: tn.CreationTimestamp,
	}
	switch {
	case tn.DeletionTimestamp != nil:
		tn.Status.Phase = v1alpha1.PhaseTerminating
		c.Reason, c.Message = v1alpha1.ReasonTerminating, "The namespace and everything in it is being deleted."
		c.LastTransitionTime = *tn.DeletionTimestamp
	case ready && annotations[v1alpha1.AnnotationOwnerAccess] != "":
		tn.Status.Phase = v1alpha1.PhaseNoAccess
		c.Reason, c.Message = v1alpha1.ReasonOwnerAccess, fmt.Sprintf("The owner has no access: RoleBinding %q is missing "+
			"or was changed, by an administrator or by the restoration of a backup.", v1alpha1.RoleBindingOwner)
	case ready:
		tn.Status.Phase = v1alpha1.PhaseReady
		c.Status = metav1.ConditionTrue
		c.Reason, c.Message = v1alpha1.ReasonProvisioned, "The owner can use the namespace."
	case annotations[v1alpha1.AnnotationRefused] != "":
		tn.Status.Phase = v1alpha1.PhasePending
		c.Reason, c.Message = v1alpha1.ReasonRefused,
			"The namespace does not fit into the budgets of the cluster and is about to be deleted."
	default:
		tn.Status.Phase = v1alpha1.PhasePending
		c.Reason, c.Message = v1alpha1.ReasonProvisioning, "The guard rails of the namespace are being created."
	}
	tn.Status.Conditions = []metav1.Condition{c}
}

// encode writes the fields of tn that clients set into the metadata of ns. old is tn
// before the change. The size is limited; an object at the limit can still be extended,
// and one beyond it, of a release with a higher limit, may not grow.
func encode(ns *corev1.Namespace, tn, old *v1alpha1.TemporaryNamespace) error {
	a := ns.Annotations
	setOrDelete(a, v1alpha1.AnnotationTTL, "")
	if ttl := tn.Spec.TTLSeconds; ttl != nil {
		a[v1alpha1.AnnotationTTL] = strconv.FormatInt(*ttl, 10)
	}
	if tn.Spec.ClassRevision != "" {
		a[v1alpha1.AnnotationClassRevision] = tn.Spec.ClassRevision
	}
	setOrDelete(a, v1alpha1.AnnotationReason, tn.Spec.Reason)
	setOrDelete(a, v1alpha1.AnnotationExtendUntil, "")
	if t := tn.Spec.ExtendUntil; t != nil {
		a[v1alpha1.AnnotationExtendUntil] = t.UTC().Format(time.RFC3339)
	}
	if s := tn.Spec.LeaseDurationSeconds; s != nil {
		a[v1alpha1.AnnotationLease] = strconv.FormatInt(*s, 10)
	}
	if t := tn.Spec.RenewTime; t != nil {
		a[v1alpha1.AnnotationRenewed] = t.UTC().Format(time.RFC3339)
	}
	var cm clientMeta
	had := len(a[v1alpha1.AnnotationObject])
	_ = json.Unmarshal([]byte(a[v1alpha1.AnnotationObject]), &cm) // unreadable content is overwritten
	cm.Labels, cm.Annotations, cm.OwnerReferences = tn.Labels, maps.Clone(tn.Annotations), tn.OwnerReferences
	cm.Generation, cm.ClassRevision = tn.Generation, tn.Spec.ClassRevision
	delete(cm.Annotations, v1alpha1.AnnotationRequestID) // has an annotation of its own
	adds := !equality.Semantic.DeepEqual(tn.Labels, old.Labels) || !equality.Semantic.DeepEqual(tn.Annotations,
		old.Annotations) || !equality.Semantic.DeepEqual(tn.OwnerReferences, old.OwnerReferences)
	for _, part := range []struct {
		what   string
		fields []metav1.ManagedFieldsEntry
		most   int
	}{{"labels, annotations and owners", nil, maxObjectBytes}, {"labels, annotations, owners and managed fields",
		tn.ManagedFields, maxManagedBytes}} {
		cm.ManagedFields = part.fields
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(cm); err != nil {
			return fmt.Errorf("encode metadata of %q: %w", tn.Name, err)
		}
		if size := b.Len() - len("\n"); size > had && (size > part.most+spareBytes || adds && size > part.most) {
			return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("%s take %d bytes; at most %d are allowed", part.what,
				b.Len(), part.most))
		}
		a[v1alpha1.AnnotationObject] = strings.TrimSpace(b.String())
	}
	return nil
}

// propagate copies the labels and annotations that the class allows (its userKeys, as
// recorded on ns) from a TemporaryNamespace to its Namespace, if they have changed
// from old: other clients may set the same keys on the Namespace.
func propagate(ns *corev1.Namespace, old, tn *v1alpha1.TemporaryNamespace) {
	keys := strings.Split(ns.Annotations[v1alpha1.AnnotationUserKeys], ",")
	carry := func(to, was, is map[string]string) {
		for k := range was {
			if _, stays := is[k]; !stays && policyv1alpha1.KeyPasses(keys, k) {
				delete(to, k)
			}
		}
		for k, v := range is {
			if before, had := was[k]; policyv1alpha1.KeyPasses(keys, k) && (!had || before != v) {
				to[k] = v
			}
		}
	}
	carry(ns.Labels, old.Labels, tn.Labels)
	carry(ns.Annotations, old.Annotations, tn.Annotations)
}

// setOrDelete sets a key; an empty value deletes it.
func setOrDelete(m map[string]string, key, value string) {
	if value == "" {
		delete(m, key)
	} else {
		m[key] = value
	}
}
