// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// mayUse refuses a class that the caller may not use.
func (r *Registry) mayUse(ctx context.Context, class string) error {
	d, _, err := r.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: userOf(ctx), Verb: policyv1alpha1.VerbUse, ResourceRequest: true, Name: class,
		APIGroup: policyv1alpha1.GroupVersion.Group, APIVersion: policyv1alpha1.GroupVersion.Version, Resource: policyv1alpha1.Resource.Resource,
	})
	switch {
	case err != nil:
		r.Log.Warn("Access review failed", "user", userName(ctx), "verb", policyv1alpha1.VerbUse, "class", class, "err", err, "auditID", auditID(ctx))
		return apierrors.NewServerTimeout(groupResource, "authorize", 1)
	case d != authorizer.DecisionAllow:
		err := apierrors.NewForbidden(policyv1alpha1.Resource.GroupResource(), class, fmt.Errorf("you may not use this class: that takes the verb %q on namespaceclasses", policyv1alpha1.VerbUse))
		err.ErrStatus.Details.Group, err.ErrStatus.Details.Kind = groupResource.Group, groupResource.Resource
		return err
	}
	return nil
}

// reserve has what ns takes held in the view of the budgets, or waits in line for
// that. A name that is there already is not counted twice: kube-apiserver, or what
// an earlier try of the same request made, has the last word.
func (r *Registry) reserve(ctx context.Context, ns *corev1.Namespace, wait string, dry bool) (func(), error) {
	now := r.Cache.get(ns.Name)
	if wait == "" || dry || now != nil && now.DeletionTimestamp == nil && now.Annotations[v1alpha1.AnnotationRefused] == "" {
		return r.Admission.Hold(ctx, ns)
	}
	d, err := time.ParseDuration(wait)
	if err != nil { // it was validated
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return r.Admission.Wait(ctx, ns, placeOf(ns))
}

// placeOf identifies the place in line of a request, among those of its owner.
func placeOf(ns *corev1.Namespace) string {
	if id := ns.Annotations[v1alpha1.AnnotationRequestID]; id != "" {
		return "request/" + id
	}
	return "name/" + ns.Name
}

// refuse takes a namespace back that does not fit: marked so that it counts for
// nothing from then on, and deleted. If another replica has finished it meanwhile,
// by a repeated request, that stands, and it is returned.
func (r *Registry) refuse(ctx context.Context, ns *corev1.Namespace, cause error) (ready *corev1.Namespace, _ error) {
	uid := ns.UID
	for {
		marked := ns.DeepCopy()
		marked.Annotations[v1alpha1.AnnotationRefused] = "true"
		out, err := r.Client.CoreV1().Namespaces().Update(ctx, marked, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			if ns, err = r.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{}); err == nil && ns.UID == uid {
				if ns.Annotations[v1alpha1.AnnotationReady] == "true" {
					return ns, nil
				}
				if ns.DeletionTimestamp != nil { // it counts until it is gone
					return nil, cause
				}
				continue
			}
		}
		if apierrors.IsNotFound(err) || err == nil && ns.UID != uid {
			return nil, cause
		}
		if err != nil {
			return nil, fmt.Errorf("refuse namespace %q: %w", marked.Name, err) // it counts until recovery finds it
		}
		if err := r.discard(ctx, out, cause); err != nil {
			r.Log.Warn("Deleting a refused namespace failed; trying again", "namespace", out.Name, "uid", uid, "err", err)
		}
		return nil, cause
	}
}
