// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
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
// field), Conflict (changed meanwhile, or being deleted).
func (r *Registry) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo,
	validateCreate rest.ValidateObjectFunc,
	validateUpdate rest.ValidateObjectUpdateFunc, forceAllowCreate bool, o *metav1.UpdateOptions) (runtime.Object,
	bool, error) {
	var taken error
	for range 5 {
		ns, err := r.read(ctx, name, v1alpha1.VerbAdminister, "")
		if apierrors.IsNotFound(err) && forceAllowCreate { // server-side apply of an object that does not exist
			if taken != nil { // it exists, and belongs to another user
				return nil, false, taken
			}
			out, err := r.createOnUpdate(ctx, info, validateCreate, o)
			if apierrors.IsAlreadyExists(err) { // another request created it: update that one, if the caller owns it
				taken = err
				continue
			}
			return out, true, err
		}
		if err != nil {
			return nil, false, err
		}
		c, err := r.change(ctx, ns, info)
		if err != nil {
			return nil, false, err
		}
		if validateUpdate != nil {
			if err := validateUpdate(ctx, c.tn, c.old); err != nil {
				return nil, false, err
			}
		}
		if equality.Semantic.DeepEqual(c.tn, c.old) {
			return c.old, false, nil // nothing to write: the resourceVersion stays, and apply says "unchanged"
		}
		out, err := r.write(ctx, c, o.DryRun)
		if errors.Is(err, errStale) {
			continue // compute it again; a request that names a resourceVersion fails in change
		}
		if err != nil {
			return nil, false, err
		}
		return out, false, nil
	}
	return nil, false, apierrors.NewConflict(groupResource, name, errChanged)
}

// errStale says that the namespace was changed while a change was computed.
var errStale = errors.New("the namespace was changed meanwhile")

// change is a requested change of a namespace.
type change struct {
	ns      *corev1.Namespace // as it was read
	old, tn *v1alpha1.TemporaryNamespace
}

// createOnUpdate creates the namespace that server-side apply did not find.
func (r *Registry) createOnUpdate(
	ctx context.Context, info rest.UpdatedObjectInfo, validate rest.ValidateObjectFunc, o *metav1.UpdateOptions,
) (runtime.Object, error) {
	obj, err := info.UpdatedObject(ctx, &v1alpha1.TemporaryNamespace{})
	if err != nil {
		return nil, err
	}
	return r.Create(ctx, obj, validate, &metav1.CreateOptions{
		DryRun: o.DryRun, FieldManager: o.FieldManager, FieldValidation: o.FieldValidation,
	})
}

// change computes a change, completes and validates it. Errors: Invalid; Conflict, also
// if the preconditions of the request do not hold.
func (r *Registry) change(ctx context.Context, ns *corev1.Namespace, info rest.UpdatedObjectInfo) (*change, error) {
	if _, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err != nil {
		r.Log.Warn("Rejected the update of a namespace whose expiry cannot be read",
			"namespace", ns.Name, "err", err, "auditID", auditID(ctx))
		return nil, apierrors.NewConflict(groupResource, ns.Name, errUnreadable)
	}
	old := fromNamespace(ns)
	obj, err := info.UpdatedObject(ctx, old.DeepCopy())
	if err != nil {
		return nil, err
	}
	tn, ok := obj.(*v1alpha1.TemporaryNamespace)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a TemporaryNamespace: %T", obj))
	}
	if tn.ResourceVersion == "" { // a PUT, as for any custom resource
		// The resource in place of the kind, as in k8s.io/apiserver pkg/registry/generic/registry.
		kind := schema.GroupKind{Group: groupResource.Group, Kind: groupResource.Resource}
		path := field.NewPath("metadata", "resourceVersion")
		errs := field.ErrorList{field.Invalid(path, "", "must be specified for an update")}
		return nil, apierrors.NewInvalid(kind, ns.Name, errs)
	}
	if tn.ResourceVersion != old.ResourceVersion {
		return nil, apierrors.NewConflict(groupResource, ns.Name, errChanged)
	}
	pre := info.Preconditions()
	if tn.UID != "" && tn.UID != old.UID || pre != nil && pre.UID != nil && *pre.UID != old.UID {
		return nil, apierrors.NewConflict(groupResource, ns.Name, lifecycle.ErrUID)
	}
	if err := rest.BeforeUpdate(updateStrategy{typer, r.now()}, ctx, tn, old); err != nil {
		return nil, err
	}
	return &change{ns, old, tn}, nil
}

// write makes a change, unless dryRun says otherwise, and returns the result. Errors:
// errStale; Conflict, if the namespace is being deleted; those of refresh.
func (r *Registry) write(ctx context.Context, c *change, dryRun []string) (*v1alpha1.TemporaryNamespace, error) {
	if err := checkMutable(c.old); err != nil {
		return nil, err
	}
	ns := c.ns.DeepCopy()
	if rev := c.tn.Spec.ClassRevision; rev != "" && rev != c.old.Status.ClassRevision {
		refreshed, err := r.refresh(ctx, ns, rev, len(dryRun) > 0)
		if apierrors.IsConflict(err) {
			return nil, errStale
		}
		if err != nil {
			return nil, r.translate(ctx, err, c.tn.Name)
		}
		ns = refreshed
	}
	if err := encode(ns, c.tn, c.old); err != nil {
		return nil, err
	}
	var extension *v1alpha1.ExtensionRecord
	if v1alpha1.Extends(c.tn, c.old) {
		ns.Annotations[v1alpha1.AnnotationExtensions] = strconv.Itoa(int(c.old.Status.Extensions) + 1)
		e := v1alpha1.ExtensionRecord{Time: metav1.NewTime(r.now()), User: userName(ctx),
			ExpirationTimestamp: metav1.NewTime(v1alpha1.DeadlineOf(c.tn))}
		if c.tn.Spec.Reason != c.old.Spec.Reason {
			e.Reason = c.tn.Spec.Reason
		}
		record(ns, e)
		extension = &e
	}
	propagate(ns, c.old, c.tn)
	if _, err := v1alpha1.ReadLifetime(&ns.ObjectMeta); err != nil { // never write what would make it immortal
		errs := field.ErrorList{field.InternalError(field.NewPath("spec"), err)}
		return nil, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name, errs)
	}
	out, err := r.Client.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{DryRun: dryRun})
	if apierrors.IsConflict(err) {
		return nil, errStale
	}
	if err != nil {
		return nil, r.translate(ctx, err, ns.Name)
	}
	after := fromNamespace(out)
	if len(dryRun) == 0 {
		r.logExtension(ctx, c, after)
		if extension != nil {
			r.Later.Record(out, 0, extendedEvent(extension, after.Status.Extensions))
		}
		wctx, cancel := context.WithTimeout(ctx, time.Second)
		_ = r.Cache.Wait(wctx, out) // so that a list that follows shows it
		cancel()
	}
	warn(ctx, out, after, r.now())
	return after, nil
}

// logExtension logs a change that moved the expiry, or the deadline of a namespace with a lease.
// A renewal of the lease is none.
func (r *Registry) logExtension(ctx context.Context, c *change, after *v1alpha1.TemporaryNamespace) {
	was, until := c.old.Status.ExpirationTimestamp, after.Status.ExpirationTimestamp
	if v1alpha1.Extends(c.tn, c.old) {
		was, until = &metav1.Time{Time: v1alpha1.DeadlineOf(c.old)}, &metav1.Time{Time: v1alpha1.DeadlineOf(c.tn)}
	} else if !equality.Semantic.DeepEqual(c.tn.Spec.RenewTime, c.old.Spec.RenewTime) {
		return
	}
	if was == nil || until == nil || until.Equal(was) {
		return
	}
	r.Log.Info("Extended", "namespace", after.Name, "uid", after.UID, "user", userName(ctx),
		"until", until.UTC().Format(time.RFC3339), "was", was.UTC().Format(time.RFC3339),
		"reason", c.tn.Spec.Reason, "auditID", auditID(ctx))
}
