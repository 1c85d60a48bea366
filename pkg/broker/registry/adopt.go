// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

// fingerprint tells whether two requests ask for the same: it is of all that the
// client says in tn, before anything is filled in.
func fingerprint(tn *v1alpha1.TemporaryNamespace) string {
	said := maps.Clone(tn.Annotations)
	delete(said, v1alpha1.AnnotationWait) // how long somebody waits for it makes it no other
	b, err := json.Marshal([]any{tn.Labels, said, tn.OwnerReferences, tn.Spec})
	if err != nil { // there is nothing in it that cannot be encoded
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// adopt returns the namespace that stands where ns was to be made, if it is
// what an earlier try of the same request left. Without a request id no two
// requests are the same: the later one is told that the name is taken.
func (r *Registry) adopt(ctx context.Context, ns *corev1.Namespace, owner user.Info, dry bool) (*corev1.Namespace, error) {
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
	case !managed(now) || !owned(owner, now) && (id == "" || now.Annotations[v1alpha1.AnnotationOwner] != owner.GetName() || now.Annotations[v1alpha1.AnnotationRequestID] != id):
		return nil, r.taken(ns.Name, owner)
	case now.DeletionTimestamp != nil:
		err := apierrors.NewConflict(groupResource, ns.Name, errors.New("your namespace of that name is still being deleted; its name is free in some seconds"))
		err.ErrStatus.Details.RetryAfterSeconds = 2
		return nil, err
	case id == "" || id != now.Annotations[v1alpha1.AnnotationRequestID]:
		return nil, apierrors.NewAlreadyExists(groupResource, ns.Name)
	case now.Annotations[v1alpha1.AnnotationRefused] != "":
		return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
	case requestOf(now) != requestOf(ns):
		return nil, apierrors.NewConflict(groupResource, ns.Name, fmt.Errorf("request %q already made it, and asked for something else", id))
	case dry:
		return now, nil
	case !ready && now.Annotations[v1alpha1.AnnotationClassRevision] != ns.Annotations[v1alpha1.AnnotationClassRevision]:
		// What it was to get is not known any more: begin anew.
		if err := r.discard(ctx, now, errors.New("the class has changed since")); err != nil {
			return nil, err
		}
		return nil, apierrors.NewServerTimeout(groupResource, "create", 6)
	}
	return now, nil
}

// requestOf is the fingerprint of the request that made ns.
func requestOf(ns *corev1.Namespace) string {
	var cm clientMeta
	_ = json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationObject]), &cm)
	return cm.Request
}

// taken says that a name is somebody else's, and offers one that is free.
func (r *Registry) taken(name string, owner user.Info) error {
	err := apierrors.NewAlreadyExists(groupResource, name)
	free := r.generate(&v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}}, owner)
	err.ErrStatus.Message = fmt.Sprintf("the name %q is taken by somebody else; %q is free", name, free)
	return err
}

// failed is what the caller is told of an error while ns was being made: that ns is
// being deleted, if it is (by a TTL that was shorter than its creation took, or by
// hand), because then the error follows from that, whatever it is.
func (r *Registry) failed(ctx context.Context, err error, ns *corev1.Namespace) error {
	if r.ended(ctx, ns) {
		return apierrors.NewConflict(groupResource, ns.Name, errDeleting)
	}
	return r.translate(ctx, err, ns.Name)
}

// ended reports whether ns is being deleted or gone. The request's own deadline may
// have passed, and there are some seconds until the handler gives up (createTimeout).
func (r *Registry) ended(ctx context.Context, ns *corev1.Namespace) bool {
	if now := r.Cache.get(ns.Name); now != nil && now.UID == ns.UID && now.DeletionTimestamp != nil {
		return true
	}
	ctx, cancel := detach(ctx, 4*time.Second)
	defer cancel()
	now, err := r.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{})
	return apierrors.IsNotFound(err) || err == nil && (now.UID != ns.UID || now.DeletionTimestamp != nil)
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
