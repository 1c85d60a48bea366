// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	"tenama.dev/tenama/api/v1alpha1"
)

// may tells whether RBAC grants the caller a verb on all temporary namespaces.
// To administer them is to view them all, too.
func (r *Registry) may(ctx context.Context, verb string) (bool, error) {
	u, ok := request.UserFrom(ctx)
	if !ok {
		return false, nil
	}
	for _, v := range implied(verb) {
		d, _, err := r.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
			User: u, Verb: v, APIGroup: groupResource.Group, APIVersion: v1alpha1.GroupVersion.Version, Resource: groupResource.Resource, ResourceRequest: true,
		})
		if err != nil {
			r.Log.Warn("Access review failed", "user", u.GetName(), "verb", v, "err", err, "auditID", auditID(ctx))
			return false, apierrors.NewServerTimeout(groupResource, "authorize", 1)
		}
		if d == authorizer.DecisionAllow {
			return true, nil
		}
	}
	return false, nil
}

// mayNow is may, without the answers that are remembered for some seconds.
func (r *Registry) mayNow(ctx context.Context, verb string) (bool, error) {
	u := userOf(ctx)
	if u == nil {
		return false, nil
	}
	for _, v := range implied(verb) {
		ok, err := r.allowed(ctx, u, authorizationv1.ResourceAttributes{Verb: v, Group: groupResource.Group, Version: v1alpha1.GroupVersion.Version, Resource: groupResource.Resource})
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// implied are the verbs that give what verb gives.
func implied(verb string) []string {
	if verb == v1alpha1.VerbViewAll {
		return []string{verb, v1alpha1.VerbAdminister}
	}
	return []string{verb}
}
