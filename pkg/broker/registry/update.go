// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
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
			if taken != nil { // it exists, and belongs to another user
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
		old := fromNamespace(ns)
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
			return nil, false, apierrors.NewConflict(groupResource, name, lifecycle.ErrUID)
		}
		if errs := validateImmutable(tn, old); len(errs) > 0 {
			return nil, false, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), name, errs)
		}
		prepareForUpdate(tn, old)
		if errs := append(v1alpha1.Validate(tn, ""), v1alpha1.ValidateUpdate(tn, old, r.now())...); len(errs) > 0 {
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
		if err := checkMutable(old, r.now()); err != nil {
			return nil, false, err
		}
		if !equality.Semantic.DeepEqual(tn.Spec, old.Spec) {
			tn.Generation++
		}
		ns = ns.DeepCopy()
		if rev := tn.Spec.ClassRevision; rev != "" && rev != old.Status.ClassRevision {
			if ns, err = r.refresh(ctx, ns, rev, len(o.DryRun) > 0); apierrors.IsConflict(err) {
				continue
			} else if err != nil {
				return nil, false, r.translate(ctx, err, name)
			}
		}
		if err := encode(ns, tn, old); err != nil {
			return nil, false, err
		}
		if v1alpha1.Extends(tn, old) {
			ns.Annotations[v1alpha1.AnnotationExtensions] = strconv.Itoa(int(old.Status.Extensions) + 1)
		}
		propagate(ns, old, tn)
		if _, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err != nil { // never write what would make it immortal
			return nil, false, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), name, field.ErrorList{field.InternalError(field.NewPath("spec"), err)})
		}
		out, err := r.Client.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{DryRun: o.DryRun})
		if apierrors.IsConflict(err) {
			continue // compute it again; a request that names a resourceVersion fails above
		}
		if err != nil {
			return nil, false, r.translate(ctx, err, name)
		}
		if len(o.DryRun) == 0 {
			if before := old.Status.ExpirationTimestamp; before != nil {
				if after := fromNamespace(out).Status.ExpirationTimestamp; after != nil && !after.Equal(before) && equality.Semantic.DeepEqual(tn.Spec.RenewTime, old.Spec.RenewTime) {
					r.Log.Info("Extended", "namespace", name, "uid", out.UID, "user", userName(ctx), "until", after.UTC().Format(time.RFC3339), "was", before.UTC().Format(time.RFC3339), "reason", tn.Spec.Reason, "auditID", auditID(ctx))
				}
			}
			wctx, cancel := context.WithTimeout(ctx, time.Second)
			_ = r.Cache.Wait(wctx, out) // so that a list that follows shows it
			cancel()
		}
		after := fromNamespace(out)
		warn(ctx, out, after, r.now())
		return after, false, nil
	}
	return nil, false, apierrors.NewConflict(groupResource, name, errChanged)
}
