// SPDX-License-Identifier: Apache-2.0

package classes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/internal/denial"
)

// judge returns the Ready condition of a class.
func (s *Store) judge(ctx context.Context, class *policyv1alpha1.NamespaceClass) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionReady, Status: metav1.ConditionFalse,
		ObservedGeneration: class.Generation}
	if err := s.check(class).err; err != nil {
		c.Reason, c.Message = policyv1alpha1.ReasonInvalidObject, oneLine(err)
		return c
	}
	if why := s.rejection(class); why != "" {
		c.Reason, c.Message = policyv1alpha1.ReasonRejectedObject, why
		return c
	}
	if p := class.Spec.Prefix; p != "" && !slices.Contains(s.prefixes, p) {
		c.Reason = policyv1alpha1.ReasonPrefixNotContained
		c.Message = fmt.Sprintf(
			"spec.prefix %q is not a prefix of this installation: use one of %s, or add it in deploy/components/settings", p,
			strings.Join(s.prefixes, ", "))
		return c
	}
	if why := s.refuses(ctx, class.Spec.OwnerRole); why != "" {
		c.Reason = policyv1alpha1.ReasonRoleNotBindable
		c.Message = fmt.Sprintf("the broker may not bind ClusterRole %q: %s", class.Spec.OwnerRole, why)
		return c
	}
	c.Status, c.Reason, c.Message = metav1.ConditionTrue, policyv1alpha1.ReasonUsable,
		"Namespaces of the class can be created."
	return c
}

func oneLine(err error) string {
	return strings.Join(strings.Split(err.Error(), "\n"), "; ")
}

// RBAC and the policy must both name a role before the broker can bind it.
const (
	byRBAC = "ClusterRole tenama:broker (deploy/base/rbac.yaml) does not allow it; use a role that it lists, or add " +
		"yours there and to deploy/base/policies/broker.yaml"
	byPolicy = "ValidatingAdmissionPolicy tenama-broker (deploy/base/policies/broker.yaml) does not list it; use a role " +
		"that it lists, or add yours there"
)

// refuses returns why the broker cannot bind a ClusterRole to an owner; empty if it
// can. It sends a dry-run request in the broker's own namespace: RBAC and the policy
// judge the role before the policy denies the namespace. The reason tells them apart:
// the policy's is Invalid for a role, and Forbidden for a namespace. Without an answer
// it assumes that the broker can bind it: the real request will fail otherwise.
func (s *Store) refuses(ctx context.Context, role string) string {
	s.mu.Lock()
	known, ok := s.bindable[role]
	s.mu.Unlock()
	if ok && (known.refused == "" && time.Since(known.at) < reviewed || time.Since(known.at) < refusedFor) {
		return known.refused
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := s.client.RbacV1().RoleBindings(s.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "tenama-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	refused := ""
	switch {
	case err == nil: // the broker is not contained; package containment reports that
	case denial.By(err) != "":
		if apierrors.IsInvalid(err) {
			refused = byPolicy
		}
	case apierrors.IsForbidden(err) && s.mayBind(ctx):
		refused = byRBAC
	default:
		s.log.Warn("Trying to bind a role failed", "role", role, "err", err)
		return ""
	}
	s.mu.Lock()
	s.bindable[role] = review{refused, time.Now()}
	s.mu.Unlock()
	return refused
}

// mayBind reports whether the broker is known to have the right to create RoleBindings at
// all. A kube-apiserver that has just started, and does not know all roles yet, forbids
// everything; that says nothing about the role to bind.
func (s *Store) mayBind(ctx context.Context) bool {
	review, err := s.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: s.user, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: s.namespace, Verb: "create", Group: rbacv1.GroupName, Resource: "rolebindings",
			},
		},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed
}
