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

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

// fingerprint identifies the content of the request tn. It is computed before
// defaulting, so that two requests can be compared.
func fingerprint(tn *v1alpha1.TemporaryNamespace) string {
	annotations := maps.Clone(tn.Annotations)
	delete(annotations, v1alpha1.AnnotationWait) // a retry may wait for another time
	b, err := json.Marshal([]any{tn.Labels, annotations, tn.OwnerReferences, tn.Spec})
	if err != nil { // there is nothing in it that cannot be encoded
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// requestOf returns the fingerprint of the request that created ns.
func requestOf(ns *corev1.Namespace) string {
	var cm clientMeta
	_ = json.Unmarshal([]byte(ns.Annotations[v1alpha1.AnnotationObject]), &cm)
	return cm.Request
}

// adopt returns the namespace that exists where ns was to be created, if an earlier
// try of the same request created it. Without a request id no two requests are the
// same: the later one gets AlreadyExists. Errors: AlreadyExists, Conflict,
// ServerTimeout, and those of kube-apiserver.
func (r *Registry) adopt(ctx context.Context, ns *corev1.Namespace, owner user.Info,
	dryRun bool) (*corev1.Namespace, error) {
	now, err := r.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) { // deleted between the two calls
		return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
	}
	if err != nil {
		return nil, err
	}
	id := ns.Annotations[v1alpha1.AnnotationRequestID]
	sameID := id != "" && id == now.Annotations[v1alpha1.AnnotationRequestID]
	switch {
	case !v1alpha1.IsManaged(now), !isOwner(owner, now) &&
		!(sameID && now.Annotations[v1alpha1.AnnotationOwner] == owner.GetName()):
		return nil, r.taken(ns.Name, owner)
	case now.DeletionTimestamp != nil:
		err := apierrors.NewConflict(groupResource, ns.Name,
			errors.New("your namespace of that name is still being deleted; retry in some seconds"))
		err.ErrStatus.Details.RetryAfterSeconds = 2
		return nil, err
	case !sameID:
		return nil, apierrors.NewAlreadyExists(groupResource, ns.Name)
	case now.Annotations[v1alpha1.AnnotationRefused] != "":
		return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
	case requestOf(now) != requestOf(ns):
		return nil, apierrors.NewConflict(groupResource, ns.Name,
			fmt.Errorf("request %q already created it with a different spec", id))
	case dryRun:
		return now, nil
	case !v1alpha1.IsReady(now) &&
		now.Annotations[v1alpha1.AnnotationClassRevision] != ns.Annotations[v1alpha1.AnnotationClassRevision]:
		// The objects of its revision are no longer known: delete it, and start again.
		if err := r.Lifecycle.Discard(ctx, now, errors.New("the class has changed since")); err != nil {
			return nil, err
		}
		return nil, apierrors.NewServerTimeout(groupResource, "create", 6)
	}
	return now, nil
}

// taken returns AlreadyExists for a name that is another owner's, with a name that is
// free.
func (r *Registry) taken(name string, owner user.Info) error {
	err := apierrors.NewAlreadyExists(groupResource, name)
	free := r.generateName(&v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}}, owner)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: v1alpha1.CauseNameTaken, Field: "metadata.name",
		Message: "the name belongs to another owner"}}
	err.ErrStatus.Message = fmt.Sprintf("the name %q belongs to another owner; %q is free", name, free)
	return err
}
