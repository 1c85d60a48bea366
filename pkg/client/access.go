// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// User returns the name of the caller, as authenticated by the cluster.
func (c *Client) User(ctx context.Context) (string, error) {
	out := &authenticationv1.SelfSubjectReview{}
	err := c.rest.Post().AbsPath("/apis/authentication.k8s.io/v1/selfsubjectreviews").
		Body(&authenticationv1.SelfSubjectReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"},
		}).Do(ctx).Into(out)
	return out.Status.UserInfo.Username, err
}

// May reports whether the caller is allowed to perform an action.
func (c *Client) May(ctx context.Context, attributes authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"},
		Spec:     authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
	}
	out := &authorizationv1.SelfSubjectAccessReview{}
	err := c.rest.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").Body(review).Do(ctx).Into(out)
	return out.Status.Allowed, err
}

// MayUse reports whether the caller is allowed to create namespaces of a class.
func (c *Client) MayUse(ctx context.Context, class string) (bool, error) {
	return c.May(ctx, authorizationv1.ResourceAttributes{
		Verb: policyv1alpha1.VerbUse, Group: policyv1alpha1.GroupVersion.Group,
		Resource: policyv1alpha1.Resource.Resource, Name: class,
	})
}

// MayViewAll reports whether the caller is allowed to see the temporary namespaces of
// all owners.
func (c *Client) MayViewAll(ctx context.Context) (bool, error) {
	for _, verb := range []string{v1alpha1.VerbViewAll, v1alpha1.VerbAdminister} {
		ok, err := c.May(ctx, authorizationv1.ResourceAttributes{
			Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: v1alpha1.Resource.Resource,
		})
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
