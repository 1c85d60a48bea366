// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

// adopt returns the namespace that stands where ns was to be made, if it is
// what an earlier try of the same request left.
func (r *Registry) adopt(ctx context.Context, ns *corev1.Namespace, owner user.Info) (*corev1.Namespace, error) {
	now, err := r.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) { // gone between the two calls
		return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
	}
	if err != nil {
		return nil, err
	}
	id := ns.Annotations[v1alpha1.AnnotationRequestID]
	ready := now.Annotations[v1alpha1.AnnotationReady] == "true"
	switch {
	case !managed(now) || now.Annotations[v1alpha1.AnnotationOwner] != owner.GetName():
		return nil, r.taken(ns.Name, owner.GetName())
	case now.DeletionTimestamp != nil:
		err := apierrors.NewConflict(groupResource, ns.Name, errors.New("your namespace of that name is still being deleted; its name is free in some seconds"))
		err.ErrStatus.Details.RetryAfterSeconds = 2
		return nil, err
	case id != now.Annotations[v1alpha1.AnnotationRequestID], id == "" && ready:
		return nil, apierrors.NewAlreadyExists(groupResource, ns.Name)
	case now.Labels[v1alpha1.LabelClass] != ns.Labels[v1alpha1.LabelClass], now.Annotations[v1alpha1.AnnotationTTL] != ns.Annotations[v1alpha1.AnnotationTTL]:
		return nil, apierrors.NewConflict(groupResource, ns.Name, fmt.Errorf("request %q already made it with another class or TTL", id))
	case !ready && now.Annotations[v1alpha1.AnnotationClassRevision] != ns.Annotations[v1alpha1.AnnotationClassRevision]:
		// What it was to get is not known any more: begin anew.
		if err := r.discard(ctx, now, errors.New("the class has changed since")); err != nil {
			return nil, err
		}
		return nil, apierrors.NewServerTimeout(groupResource, "create", 6)
	}
	return now, nil
}

// taken says that a name is somebody else's, and offers one that is free.
func (r *Registry) taken(name, owner string) error {
	err := apierrors.NewAlreadyExists(groupResource, name)
	free := r.generate(r.Prefix+strings.TrimPrefix(name, r.Prefix)+"-", owner, "")
	err.ErrStatus.Message = fmt.Sprintf("the name %q is taken by somebody else; %q is free", name, free)
	return err
}

// undo deletes what cannot be finished, unless another replica has finished it
// or the trouble may pass: then a repeated request, or recovery, goes on.
func (r *Registry) undo(ctx context.Context, ns *corev1.Namespace, cause error) {
	if !definite(cause) {
		r.Log.Warn("Creation interrupted", "namespace", ns.Name, "uid", ns.UID, "err", cause, "auditID", auditID(ctx))
		return
	}
	r.Log.Error("Creation failed; deleting the namespace", "namespace", ns.Name, "uid", ns.UID, "err", cause, "auditID", auditID(ctx))
	ctx, cancel := detach(ctx, 10*time.Second)
	defer cancel()
	err := r.Client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		r.Log.Error("Deletion of a half-made namespace failed; recovery will try again", "namespace", ns.Name, "uid", ns.UID, "err", err)
	}
}
