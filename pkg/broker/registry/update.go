// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"tenama.dev/tenama/api/v1alpha1"
)

// Update serves PUT, JSON patch, merge patch and server-side apply; they differ
// only in how the new object is computed from the old.
//
// The write of the Namespace carries the resourceVersion that was read, so it
// is the precondition: an extension either comes before the reaper's deletion,
// which then fails, or it fails itself. Errors: NotFound, Invalid (with the
// field), Conflict (changed meanwhile, being deleted, or expired).
func (r *Registry) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, validateCreate rest.ValidateObjectFunc,
	validateUpdate rest.ValidateObjectUpdateFunc, forceAllowCreate bool, o *metav1.UpdateOptions) (runtime.Object, bool, error) {
	var taken error
	for range 5 {
		ns, err := r.read(ctx, name, v1alpha1.VerbAdminister, "")
		if apierrors.IsNotFound(err) && forceAllowCreate { // server-side apply of what is not there
			if taken != nil { // it is there, and somebody else's
				return nil, false, taken
			}
			obj, err := info.UpdatedObject(ctx, &v1alpha1.TemporaryNamespace{})
			if err != nil {
				return nil, false, err
			}
			out, err := r.Create(ctx, obj, validateCreate, &metav1.CreateOptions{DryRun: o.DryRun, FieldManager: o.FieldManager, FieldValidation: o.FieldValidation})
			if apierrors.IsAlreadyExists(err) { // another request was faster: what it made is to be changed, if it is the caller's
				taken = err
				continue
			}
			return out, true, err
		}
		if err != nil {
			return nil, false, err
		}
		if _, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err != nil {
			r.Log.Warn("Refused to change a namespace whose expiry cannot be read", "namespace", name, "err", err, "auditID", auditID(ctx))
			return nil, false, apierrors.NewConflict(groupResource, name, errUnreadable)
		}
		old := view(ns)
		obj, err := info.UpdatedObject(ctx, old.DeepCopy())
		if err != nil {
			return nil, false, err
		}
		tn, ok := obj.(*v1alpha1.TemporaryNamespace)
		if !ok {
			return nil, false, apierrors.NewBadRequest(fmt.Sprintf("not a TemporaryNamespace: %T", obj))
		}
		if tn.ResourceVersion == "" { // a PUT, as for any custom resource
			return nil, false, apierrors.NewInvalid(schema.GroupKind{Group: groupResource.Group, Kind: groupResource.Resource}, name, field.ErrorList{field.Invalid(field.NewPath("metadata", "resourceVersion"), "", "must be specified for an update")})
		}
		if tn.ResourceVersion != old.ResourceVersion {
			return nil, false, apierrors.NewConflict(groupResource, name, errChanged)
		}
		if pre := info.Preconditions(); tn.UID != "" && tn.UID != old.UID || pre != nil && pre.UID != nil && *pre.UID != old.UID {
			return nil, false, apierrors.NewConflict(groupResource, name, errUID)
		}
		if errs := immutable(tn, old); len(errs) > 0 {
			return nil, false, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), name, errs)
		}
		keep(tn, old)
		if errs := append(v1alpha1.Validate(tn, ""), v1alpha1.ValidateUpdate(tn, old, time.Now())...); len(errs) > 0 {
			return nil, false, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), name, errs)
		}
		if validateUpdate != nil {
			if err := validateUpdate(ctx, tn, old); err != nil {
				return nil, false, err
			}
		}
		if equality.Semantic.DeepEqual(tn, old) {
			return old, false, nil // nothing to write: the resourceVersion stays, and apply says "unchanged"
		}
		if err := alive(old); err != nil {
			return nil, false, err
		}
		if !equality.Semantic.DeepEqual(tn.Spec, old.Spec) {
			tn.Generation++
		}
		ns = ns.DeepCopy()
		if rev := tn.Spec.ClassRevision; rev != "" && rev != old.Status.ClassRevision {
			if ns, err = r.refresh(ctx, ns, tn.Spec.ClassRevision, len(o.DryRun) > 0); apierrors.IsConflict(err) && !definite(err) {
				continue
			} else if err != nil {
				return nil, false, r.translate(ctx, err, name)
			}
		}
		if err := store(ns, tn, old); err != nil {
			return nil, false, err
		}
		if v1alpha1.Extends(tn, old) {
			ns.Annotations[v1alpha1.AnnotationExtensions] = strconv.Itoa(int(old.Status.Extensions) + 1)
		}
		pass(ns, old, tn)
		if _, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err != nil { // never write what would make it immortal
			return nil, false, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), name, field.ErrorList{field.InternalError(field.NewPath("spec"), err)})
		}
		out, err := r.Client.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{DryRun: o.DryRun})
		if apierrors.IsConflict(err) {
			continue // computed anew; what names a resourceVersion fails above
		}
		if err != nil {
			return nil, false, r.translate(ctx, err, name)
		}
		if len(o.DryRun) == 0 {
			if before := old.Status.ExpirationTimestamp; before != nil {
				if after := view(out).Status.ExpirationTimestamp; after != nil && !after.Equal(before) && equality.Semantic.DeepEqual(tn.Spec.RenewTime, old.Spec.RenewTime) {
					r.Log.Info("Extended", "namespace", name, "uid", out.UID, "user", userName(ctx), "until", after.UTC().Format(time.RFC3339), "was", before.UTC().Format(time.RFC3339), "reason", tn.Spec.Reason, "auditID", auditID(ctx))
				}
			}
			wctx, cancel := context.WithTimeout(ctx, time.Second)
			_ = r.Cache.wait(wctx, out) // so that a list that follows shows it
			cancel()
		}
		after := view(out)
		warn(ctx, out, after)
		return after, false, nil
	}
	return nil, false, apierrors.NewConflict(groupResource, name, errChanged)
}

// immutable reports what no client can set, as for any object.
func immutable(tn, old *v1alpha1.TemporaryNamespace) field.ErrorList {
	meta := field.NewPath("metadata")
	var errs field.ErrorList
	if t := tn.DeletionTimestamp; t != nil && !t.Equal(old.DeletionTimestamp) {
		errs = append(errs, field.Invalid(meta.Child("deletionTimestamp"), t, apivalidation.FieldImmutableErrorMsg))
	}
	if s := tn.DeletionGracePeriodSeconds; s != nil && (old.DeletionGracePeriodSeconds == nil || *s != *old.DeletionGracePeriodSeconds) {
		errs = append(errs, field.Invalid(meta.Child("deletionGracePeriodSeconds"), *s, apivalidation.FieldImmutableErrorMsg))
	}
	return errs
}

// keep puts back what a client cannot set, and what it left open.
func keep(tn, old *v1alpha1.TemporaryNamespace) {
	tn.TypeMeta, tn.Status = old.TypeMeta, old.Status
	tn.UID, tn.ResourceVersion, tn.Generation = old.UID, old.ResourceVersion, old.Generation
	tn.CreationTimestamp, tn.DeletionTimestamp, tn.DeletionGracePeriodSeconds = old.CreationTimestamp, old.DeletionTimestamp, old.DeletionGracePeriodSeconds
	tn.GenerateName = old.GenerateName
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
	if tn.Spec.ExtendUntil == nil { // a manifest leaves it out; to apply or replace by one takes no extension back
		tn.Spec.ExtendUntil = old.Spec.ExtendUntil
	} else { // whole seconds are kept: a fraction must not look like a change each time
		tn.Spec.ExtendUntil = &metav1.Time{Time: tn.Spec.ExtendUntil.Truncate(time.Second)}
	}
	if id := old.Annotations[v1alpha1.AnnotationRequestID]; id != "" && tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
		if tn.Annotations == nil {
			tn.Annotations = map[string]string{}
		}
		tn.Annotations[v1alpha1.AnnotationRequestID] = id
	}
}

// alive refuses changes to a namespace whose end has come: kube-apiserver would
// accept the write, and the caller would believe in an extension.
func alive(tn *v1alpha1.TemporaryNamespace) error {
	if tn.DeletionTimestamp != nil {
		err := apierrors.NewConflict(groupResource, tn.Name, errDeleting)
		err.ErrStatus.Details.RetryAfterSeconds = 2
		return err
	}
	if at := tn.Status.ExpirationTimestamp; at != nil && !time.Now().Before(at.Time) {
		return apierrors.NewConflict(groupResource, tn.Name, errors.New("it expired at "+at.UTC().Format(time.RFC3339)))
	}
	return nil
}
