// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// What became of a guard rail that was not as it was made, for Drifted.
const (
	Missing = "missing"
	Changed = "changed"

	Restored = "restored"
	Refused  = "refused"  // kube-apiserver does not take it back
	Released = "released" // somebody took the label tenama.dev/managed off: it is theirs
)

// Names lists the namespaces that are complete and alive, by name.
func (r *Registry) Names() []string {
	all, _ := r.Cache.list()
	var names []string
	for _, ns := range all {
		if ns.Annotations[v1alpha1.AnnotationReady] == "true" && ns.DeletionTimestamp == nil {
			names = append(names, ns.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Inspect compares the guard rails of a namespace with what it was made with,
// and puts back what is missing or differs, by server-side apply: fields and
// labels that others own stay as they are. What tenants may not do, somebody
// with more rights did; an Event in the namespace tells. An object from which
// the label tenama.dev/managed was taken is left alone, and so is the owner's
// binding: taking it away is how an administrator locks somebody out.
func (r *Registry) Inspect(ctx context.Context, name string) error {
	ns := r.Cache.get(name)
	if ns == nil || !managed(ns) || ns.DeletionTimestamp != nil || r.Contained() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	err := r.inspectLabel(ctx, ns)
	raw, unknown := r.recorded(ctx, ns)
	if unknown != nil {
		return errors.Join(err, unknown)
	}
	objs, unreadable := policyv1alpha1.DecodeGuardRails(raw, r.Kinds)
	err = errors.Join(err, unreadable)
	for _, want := range objs {
		err = errors.Join(err, r.inspectOne(ctx, ns, want))
	}
	if err == nil && len(raw) > 0 { // all is as recorded, and it is known what that is
		err = r.inspectReserved(ctx, ns, objs)
	}
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil // it ended meanwhile
	}
	return err
}

// recorded returns the objects that the namespace was made with. If the
// broker's binding, which keeps them, is gone, it is put back with those of the
// class, as long as the class is still what it was.
func (r *Registry) recorded(ctx context.Context, ns *corev1.Namespace) ([]runtime.RawExtension, error) {
	b, err := r.Client.RbacV1().RoleBindings(ns.Name).Get(ctx, managerBroker, metav1.GetOptions{ResourceVersion: "0"})
	if err == nil && b.Annotations[v1alpha1.AnnotationGuardRails] == "" {
		return nil, nil // made by a release that did not record it
	}
	if err == nil {
		var out []runtime.RawExtension
		if err := json.Unmarshal([]byte(b.Annotations[v1alpha1.AnnotationGuardRails]), &out); err != nil {
			return nil, fmt.Errorf("read what namespace %q was made with: %w", ns.Name, err)
		}
		return out, nil
	}
	if !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) { // without the binding we may not even ask for it
		return nil, fmt.Errorf("read the broker's binding in %q: %w", ns.Name, err)
	}
	var objects []runtime.RawExtension
	class, lost := r.Classes.Class(ctx, ns.Labels[v1alpha1.LabelClass])
	switch {
	case lost == nil && class.Status.Revision == ns.Annotations[v1alpha1.AnnotationClassRevision]:
		chosen, wrong := class.Spec.Choose(parameters(ns), field.NewPath("parameters"))
		if lost = wrong.ToAggregate(); lost == nil {
			objects, lost = class.Spec.Expand(policyv1alpha1.Given(ns.Name, called(ns), chosen))
		}
		if lost != nil {
			objects = nil
		}
	case lost == nil:
		lost = fmt.Errorf("class %q has changed since", class.Name)
	}
	switch made, err := r.bindSelf(ctx, ns.Name, objects); {
	case err != nil:
		return nil, err
	case !made:
		return nil, fmt.Errorf("RoleBinding %q in %q is there and does not give the broker its rights: an administrator has to delete it, or apply deploy/ again", managerBroker, ns.Name)
	}
	d := drift{object: corev1.ObjectReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding", Name: managerBroker}, was: Missing, became: Restored}
	if lost != nil { // the broker can work there again, but this namespace is not looked after any more
		d.became, d.why = Refused, "what the namespace was made with is not known any more: "+lost.Error()
	}
	r.tell(ctx, ns, d)
	return objects, nil
}

// inspectLabel puts back the pod security of the namespace.
func (r *Registry) inspectLabel(ctx context.Context, ns *corev1.Namespace) error {
	want := ns.Annotations[v1alpha1.AnnotationPodSecurity]
	if want == "" || ns.Labels[labelPodSecurity] == want {
		return nil
	}
	now := ns.DeepCopy()
	now.Labels[labelPodSecurity] = want
	if _, err := r.Client.CoreV1().Namespaces().Update(ctx, now, metav1.UpdateOptions{}); apierrors.IsConflict(err) {
		return nil // it is being changed; the next round sees it
	} else if err != nil {
		return fmt.Errorf("put back the pod security of %q: %w", ns.Name, err)
	}
	r.tell(ctx, ns, drift{object: corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: ns.Name, UID: ns.UID}, was: Changed, became: Restored, where: "metadata.labels[" + labelPodSecurity + "]"})
	return nil
}

// odd is a version of a namespace that reserves other amounts than it takes, and
// when that was first seen.
type odd struct {
	version string
	at      time.Time
}

// inspectReserved gives back to the budgets what a refresh that was interrupted
// has left reserved.
func (r *Registry) inspectReserved(ctx context.Context, ns *corev1.Namespace, objs []runtime.Object) error {
	had := corev1.ResourceList{}
	if json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationReserved]), &had) != nil || len(had) == 0 {
		return nil // made by a release that did not record it
	}
	takes := policyv1alpha1.Reserved(objs)
	if equality.Semantic.DeepEqual(had, takes) {
		r.odd.Delete(ns.Name)
		return nil
	}
	// A refresh that is going on reserves first, and changes the rest then.
	now := odd{ns.ResourceVersion, time.Now()}
	if was, _ := r.odd.LoadOrStore(ns.Name, now); was.(odd).version != ns.ResourceVersion {
		r.odd.Store(ns.Name, now)
		return nil
	} else if time.Since(was.(odd).at) < takeover {
		return nil
	}
	r.odd.Delete(ns.Name)
	r.Log.Warn("A namespace reserved other amounts than its quotas allow; corrected", "namespace", ns.Name, "was", ns.Annotations[v1alpha1.AnnotationReserved])
	return r.reserves(ctx, ns, takes)
}

func (r *Registry) inspectOne(ctx context.Context, ns *corev1.Namespace, want runtime.Object) error {
	m, err := meta.Accessor(want)
	if err != nil {
		return err
	}
	have, err := r.get(ctx, ns.Name, m.GetName(), want, metav1.GetOptions{ResourceVersion: "0"}) // from kube-apiserver's cache: what it lags behind, the next round sees
	d := drift{object: corev1.ObjectReference{APIVersion: want.GetObjectKind().GroupVersionKind().GroupVersion().String(), Kind: want.GetObjectKind().GroupVersionKind().Kind, Name: m.GetName()}}
	switch {
	case apierrors.IsNotFound(err):
		d.was = Missing
	case err != nil:
		return fmt.Errorf("read %s %q in %q: %w", d.object.Kind, d.object.Name, ns.Name, err)
	default:
		hm, err := meta.Accessor(have)
		if err != nil {
			return err
		}
		if hm.GetLabels()[v1alpha1.LabelManaged] != "true" {
			r.Drifted(d.object.Kind, Changed, Released)
			return nil
		}
		if d.where = differs(want, have); d.where == "" {
			return nil
		}
		d.was, d.object.UID = Changed, hm.GetUID()
	}
	if q, ok := want.(*corev1.ResourceQuota); ok && len(q.Spec.Hard) == 0 && d.was == Changed { // a refresh empties it
		return r.replace(ctx, ns.Name, nil, want)
	}
	patch, err := manifest(want)
	if err != nil {
		return err
	}
	var now runtime.Object
	err = r.patiently(ctx, func() (err error) { now, err = r.apply(ctx, ns.Name, m.GetName(), want, patch); return err })
	d.became = Restored
	if apierrors.IsInvalid(err) {
		d.became, d.why = Refused, err.Error()
	} else if err == nil {
		if still := differs(want, now); still != "" {
			d.became, d.why = Refused, still+" is somebody else's field"
		}
	}
	if err == nil || d.became == Refused {
		r.tell(ctx, ns, d)
	}
	if err != nil {
		return fmt.Errorf("put back %s %q in %q: %w", d.object.Kind, d.object.Name, ns.Name, err)
	}
	return nil
}

// drift is what was found, and what became of it.
type drift struct {
	object      corev1.ObjectReference
	was, became string
	where, why  string
}

// tell counts a drift, logs it, and leaves an Event in the namespace.
func (r *Registry) tell(ctx context.Context, ns *corev1.Namespace, d drift) {
	r.Drifted(d.object.Kind, d.was, d.became)
	d.object.Namespace = ns.Name
	what := fmt.Sprintf("%s %q was %s", d.object.Kind, d.object.Name, d.was)
	if d.where != "" {
		what += " in " + d.where
	}
	e := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "tenama-", Namespace: ns.Name}, InvolvedObject: d.object,
		Type: corev1.EventTypeNormal, Reason: "GuardRailRestored", Action: "Restore",
		Message:             what + "; the broker put it back as it was made.",
		ReportingController: "tenama.dev/broker", ReportingInstance: r.Replica, EventTime: metav1.NowMicro(), Source: corev1.EventSource{Component: "tenama-broker"},
	}
	e.FirstTimestamp, e.LastTimestamp, e.Count = metav1.NewTime(time.Now()), metav1.NewTime(time.Now()), 1
	if d.became == Refused {
		e.Type, e.Reason, e.Message = corev1.EventTypeWarning, "GuardRailDiffers", what+", and cannot be put back: "+d.why
	}
	r.Log.Warn("A guard rail had drifted", "namespace", ns.Name, "kind", d.object.Kind, "name", d.object.Name, "was", d.was, "where", d.where, "became", d.became, "why", d.why)
	if err := r.patiently(ctx, func() error {
		_, err := r.Client.CoreV1().Events(ns.Name).Create(ctx, e, metav1.CreateOptions{})
		return err
	}); err != nil {
		r.Log.Warn("Telling of a drift failed", "namespace", ns.Name, "err", err)
	}
}
