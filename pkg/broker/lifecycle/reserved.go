// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// raise reserves, per resource, the larger of the amount that a namespace has reserved
// and the given amount. If that does not fit into the budgets, raise changes nothing.
// Errors: Forbidden (a budget is full), and those of kube-apiserver.
func (m *Manager) raise(ctx context.Context, ns *corev1.Namespace, amounts corev1.ResourceList,
	dryRun bool) (*corev1.Namespace, error) {
	had, _ := reservedOf(ns)
	larger, more := had.DeepCopy(), false
	for k, v := range amounts {
		if was, ok := had[k]; !ok || v.Cmp(was) > 0 {
			larger[k], more = v, true
		}
	}
	if !more {
		return ns, nil
	}
	raised := ns.DeepCopy()
	if err := setReserved(raised, larger); err != nil {
		return nil, err
	}
	release, err := m.Admission.ReserveIncrease(raised)
	if err != nil {
		return nil, err
	}
	defer release()
	if dryRun {
		return ns, nil
	}
	out, err := m.Client.CoreV1().Namespaces().Update(ctx, raised, metav1.UpdateOptions{})
	if err != nil {
		return nil, err
	}
	if err := m.Cache.Wait(ctx, out); err != nil {
		return nil, err // the next inspection corrects the amounts
	}
	if full := m.Admission.Admitted(out); full != nil {
		if err := m.writeReserved(ctx, out, had); err != nil {
			m.Log.Warn("Restoring the reserved amounts failed; the next inspection corrects them", "namespace", ns.Name,
				"err", err)
		}
		return nil, full
	}
	return out, nil
}

// mismatch is a version of a namespace whose reserved amounts differ from those of its
// objects, and when that was first seen.
type mismatch struct {
	resourceVersion string
	since           time.Time
}

// inspectReserved corrects the amounts that a namespace has reserved, if a refresh
// was interrupted after it had reserved more.
func (m *Manager) inspectReserved(ctx context.Context, ns *corev1.Namespace, objs []runtime.Object) error {
	had, ok := reservedOf(ns)
	if !ok { // created by a release that did not record them
		return nil
	}
	amounts := policyv1alpha1.Reserved(objs)
	if equality.Semantic.DeepEqual(had, amounts) {
		m.mismatches.Delete(ns.Name)
		return nil
	}
	// A refresh that is going on reserves first, and changes the quotas then.
	seen := mismatch{ns.ResourceVersion, time.Now()}
	first, _ := m.mismatches.LoadOrStore(ns.Name, seen)
	if first.(mismatch).resourceVersion != ns.ResourceVersion {
		m.mismatches.Store(ns.Name, seen)
		return nil
	}
	if time.Since(first.(mismatch).since) < takeoverAfter {
		return nil
	}
	m.mismatches.Delete(ns.Name)
	m.Log.Warn("Corrected reserved amounts that differed from the quotas of a namespace", "namespace", ns.Name, "was",
		ns.Annotations[v1alpha1.AnnotationReserved])
	return m.writeReserved(ctx, ns, amounts)
}

func (m *Manager) writeReserved(ctx context.Context, ns *corev1.Namespace, amounts corev1.ResourceList) error {
	_, err := m.mutate(ctx, ns, func(ns *corev1.Namespace) error { return setReserved(ns, amounts) })
	if errors.Is(err, ErrUID) { // it was deleted
		return nil
	}
	return err
}

// reservedOf returns the reserved amounts of a namespace, and whether they are
// recorded.
func reservedOf(ns *corev1.Namespace) (corev1.ResourceList, bool) {
	amounts := corev1.ResourceList{}
	err := json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationReserved]), &amounts)
	return amounts, err == nil && len(amounts) > 0
}

func setReserved(ns *corev1.Namespace, amounts corev1.ResourceList) error {
	b, err := json.Marshal(amounts)
	if err != nil {
		return fmt.Errorf("encode the reserved amounts of %q: %w", ns.Name, err)
	}
	ns.Annotations[v1alpha1.AnnotationReserved] = string(b)
	return nil
}
