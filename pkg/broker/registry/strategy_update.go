// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// updateStrategy completes and validates a changed TemporaryNamespace.
// rest.BeforeUpdate calls it, and treats the metadata as for any object.
type updateStrategy struct {
	*runtime.Scheme
	now time.Time
}

var _ rest.RESTUpdateStrategy = updateStrategy{}

// NamespaceScoped is false.
func (updateStrategy) NamespaceScoped() bool { return false }

// AllowCreateOnUpdate is true: server-side apply creates.
func (updateStrategy) AllowCreateOnUpdate(context.Context) bool { return true }

// AllowUnconditionalUpdate is false: an update carries a resourceVersion.
func (updateStrategy) AllowUnconditionalUpdate(context.Context) bool { return false }

// PrepareForUpdate sets the fields that no client can set, and those that the client
// left out, to their old values. It increments the generation if the spec changed.
func (updateStrategy) PrepareForUpdate(_ context.Context, obj, was runtime.Object) {
	tn, old := obj.(*v1alpha1.TemporaryNamespace), was.(*v1alpha1.TemporaryNamespace)
	tn.TypeMeta, tn.Status, tn.GenerateName = old.TypeMeta, old.Status, old.GenerateName
	if tn.Spec.ClassName == "" {
		tn.Spec.ClassName = old.Spec.ClassName
	}
	if tn.Spec.ClassRevision == "" {
		tn.Spec.ClassRevision = old.Spec.ClassRevision
	}
	if tn.Spec.OwnerGroup == "" {
		tn.Spec.OwnerGroup = old.Spec.OwnerGroup
	}
	for name, value := range old.Spec.Parameters {
		if _, said := tn.Spec.Parameters[name]; !said {
			if tn.Spec.Parameters == nil {
				tn.Spec.Parameters = map[string]string{}
			}
			tn.Spec.Parameters[name] = value
		}
	}
	delete(tn.Annotations, v1alpha1.AnnotationWait) // for creation only
	if tn.Spec.TTLSeconds == nil {
		tn.Spec.TTLSeconds = old.Spec.TTLSeconds
	}
	if tn.Spec.LeaseDurationSeconds == nil {
		tn.Spec.LeaseDurationSeconds = old.Spec.LeaseDurationSeconds
	}
	if t := tn.Spec.RenewTime; t == nil {
		tn.Spec.RenewTime = old.Spec.RenewTime
	} else {
		tn.Spec.RenewTime = &metav1.Time{Time: t.Truncate(time.Second)}
	}
	if tn.Spec.ExtendUntil == nil { // a manifest leaves it out; applying one must not undo an extension
		tn.Spec.ExtendUntil = old.Spec.ExtendUntil
	} else { // whole seconds are kept: a fraction must not look like a change each time
		tn.Spec.ExtendUntil = &metav1.Time{Time: tn.Spec.ExtendUntil.Truncate(time.Second)}
	}
	id := old.Annotations[v1alpha1.AnnotationRequestID]
	if id != "" && tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
		if tn.Annotations == nil {
			tn.Annotations = map[string]string{}
		}
		tn.Annotations[v1alpha1.AnnotationRequestID] = id
	}
	if !equality.Semantic.DeepEqual(tn.Spec, old.Spec) {
		tn.Generation++
	}
}

// ValidateUpdate returns the errors of obj, and of the change.
func (s updateStrategy) ValidateUpdate(_ context.Context, obj, was runtime.Object) field.ErrorList {
	tn, old := obj.(*v1alpha1.TemporaryNamespace), was.(*v1alpha1.TemporaryNamespace)
	return append(v1alpha1.Validate(tn, ""), v1alpha1.ValidateUpdate(tn, old, s.now)...)
}

// WarningsOnUpdate is empty.
func (updateStrategy) WarningsOnUpdate(_ context.Context, _, _ runtime.Object) []string { return nil }

// Canonicalize does nothing.
func (updateStrategy) Canonicalize(runtime.Object) {}

// checkMutable returns a Conflict for a namespace that is being deleted. kube-apiserver
// would accept the write, and the caller would take it for an extension. One that has
// expired can be extended until its deletion begins: after an outage, its owner is not too
// late. The deletion and the extension have each other's resourceVersion as a precondition,
// so one of them fails.
func checkMutable(tn *v1alpha1.TemporaryNamespace) error {
	if tn.DeletionTimestamp == nil {
		return nil
	}
	err := apierrors.NewConflict(groupResource, tn.Name, lifecycle.ErrDeleting)
	err.ErrStatus.Details.RetryAfterSeconds = 2
	return err
}
