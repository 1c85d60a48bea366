// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// Delete begins the deletion of a TemporaryNamespace. The namespace is gone some
// seconds later, and is shown as Terminating until then, whatever the propagation
// policy. Errors: NotFound; Conflict if a precondition does not hold, or, with the cause
// OnHold, if an administrator keeps the namespace; BadRequest for the policy Orphan.
func (r *Registry) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc,
	o *metav1.DeleteOptions) (runtime.Object, bool, error) {
	ns, err := r.read(ctx, name, v1alpha1.VerbAdminister, "")
	if err != nil {
		return nil, false, err
	}
	tn := fromNamespace(ns)
	if validate != nil {
		if err := validate(ctx, tn); err != nil {
			return nil, false, err
		}
	}
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	pre, err := deletePreconditions(ns, tn, o)
	if err != nil {
		return nil, false, err
	}
	if ns.DeletionTimestamp != nil { // as for any object with finalizers, a repeated request changes nothing
		return tn, false, nil
	}
	if v1alpha1.OnHold(ns) {
		return nil, false, onHold(ns)
	}
	out := &corev1.Namespace{}
	body := &metav1.DeleteOptions{Preconditions: pre, DryRun: o.DryRun}
	if err := r.Client.CoreV1().RESTClient().Delete().Resource("namespaces").Name(name).Body(body).Do(ctx).Into(
		out); err != nil {
		if guardrails.DeniedByPolicy(err) { // since it was read, an administrator may have set a hold
			if now, err := r.read(ctx, name, v1alpha1.VerbAdminister, ""); err == nil && v1alpha1.OnHold(now) {
				return nil, false, onHold(now)
			}
		}
		return nil, false, r.translate(ctx, err, name)
	}
	if len(o.DryRun) == 0 {
		r.Log.Info("Deleted on request", "namespace", name, "uid", ns.UID, "user", userName(ctx), "owner", tn.Status.Owner,
			"auditID", auditID(ctx))
	}
	return fromNamespace(out), false, nil
}

// deletePreconditions returns the preconditions on the Namespace that hold exactly
// if those on the TemporaryNamespace do.
func deletePreconditions(ns *corev1.Namespace, tn *v1alpha1.TemporaryNamespace,
	o *metav1.DeleteOptions) (*metav1.Preconditions, error) {
	//lint:ignore SA1019 old clients still send it
	if old := o.OrphanDependents; old != nil && *old ||
		o.PropagationPolicy != nil && *o.PropagationPolicy == metav1.DeletePropagationOrphan {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot delete %q and orphan its dependents: the namespace is "+
			"deleted with everything in it; use propagationPolicy Background or Foreground", ns.Name))
	}
	pre := &metav1.Preconditions{UID: &ns.UID}
	if p := o.Preconditions; p != nil {
		if p.UID != nil && *p.UID != tn.UID {
			return nil, apierrors.NewConflict(groupResource, ns.Name, lifecycle.ErrUID)
		}
		if pre.ResourceVersion = p.ResourceVersion; pre.ResourceVersion != nil && *pre.ResourceVersion != ns.ResourceVersion {
			return nil, apierrors.NewConflict(groupResource, ns.Name, errChanged)
		}
	}
	return pre, nil
}

// DeleteCollection begins the deletion of every TemporaryNamespace that List
// returns for the same options and that the caller owns; of all of them for callers
// who may administer. If these are more than fit into a page, the answer has only
// their names and UIDs. A namespace that was recreated under the same name is skipped.
// It stops at the first error; earlier deletions are not undone. Namespaces on hold stay:
// the error about one of them comes after the deletion of the others.
func (r *Registry) DeleteCollection(ctx context.Context, validate rest.ValidateObjectFunc, o *metav1.DeleteOptions,
	list *internalversion.ListOptions) (runtime.Object, error) {
	s, err := r.selectorOf(ctx, list)
	if err != nil {
		return nil, err
	}
	if admin, err := r.authorized(ctx, v1alpha1.VerbAdminister); err != nil {
		return nil, err
	} else if !admin { // the right to view all is no right to delete them
		s.owners = ownerHashes(userOf(ctx))
	}
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	out := &v1alpha1.TemporaryNamespaceList{}
	whole := r.Cache.Size(s.owners...).Total <= PageBytes
	out.ListMeta, err = r.forEach(ctx, s, list, func(_ *corev1.Namespace, tn *v1alpha1.TemporaryNamespace) {
		if !whole {
			*tn = v1alpha1.TemporaryNamespace{TypeMeta: tn.TypeMeta, ObjectMeta: metav1.ObjectMeta{Name: tn.Name, UID: tn.UID,
				ResourceVersion: tn.ResourceVersion}}
		}
		out.Items = append(out.Items, *tn)
	})
	if err != nil {
		return nil, err
	}
	var kept atomic.Pointer[error] // about a namespace on hold
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range out.Items {
		tn, one := &out.Items[i], o.DeepCopy()
		ours := one.Preconditions == nil
		if ours {
			one.Preconditions = &metav1.Preconditions{UID: &tn.UID}
		}
		g.Go(func() error {
			_, _, err := r.Delete(ctx, tn.Name, validate, one)
			switch {
			case apierrors.HasStatusCause(err, v1alpha1.CauseOnHold):
				kept.Store(&err)
				return nil
			case apierrors.IsNotFound(err) || ours && apierrors.IsConflict(err):
				return nil
			}
			return err
		})
	}
	err = g.Wait()
	if held := kept.Load(); err == nil && held != nil {
		return nil, *held
	}
	return out, err
}
