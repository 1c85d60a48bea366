// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

var policyPath = "/apis/" + policyv1alpha1.GroupVersion.String() + "/"

// Classes returns the classes of the cluster. Reasons: Forbidden.
func (c *Client) Classes(ctx context.Context) (*policyv1alpha1.NamespaceClassList, error) {
	out := &policyv1alpha1.NamespaceClassList{}
	return out, c.rest.Get().AbsPath(policyPath + policyv1alpha1.Resource.Resource).Do(ctx).Into(out)
}

// Class returns one class. Reasons: NotFound, Forbidden.
func (c *Client) Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error) {
	out := &policyv1alpha1.NamespaceClass{}
	return out, c.rest.Get().AbsPath(policyPath+policyv1alpha1.Resource.Resource, name).Do(ctx).Into(out)
}

// Budgets returns the budgets of the cluster. Reasons: Forbidden.
func (c *Client) Budgets(ctx context.Context) (*policyv1alpha1.NamespaceBudgetList, error) {
	out := &policyv1alpha1.NamespaceBudgetList{}
	return out, c.rest.Get().AbsPath(policyPath + policyv1alpha1.BudgetResource.Resource).Do(ctx).Into(out)
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
	return c.May(ctx, authorizationv1.ResourceAttributes{Verb: policyv1alpha1.VerbUse, Group: policyv1alpha1.GroupVersion.Group, Resource: policyv1alpha1.Resource.Resource, Name: class})
}

// MayViewAll reports whether the caller is allowed to see the temporary namespaces of
// all owners.
func (c *Client) MayViewAll(ctx context.Context) (bool, error) {
	for _, verb := range []string{v1alpha1.VerbViewAll, v1alpha1.VerbAdminister} {
		ok, err := c.May(ctx, authorizationv1.ResourceAttributes{Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: v1alpha1.Resource.Resource})
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// GuardRails returns the guard rails of a namespace, read with the caller's own
// permissions: its quotas with their usage, limit ranges and network policies. Kinds
// that the caller is not allowed to read are omitted.
func (c *Client) GuardRails(ctx context.Context, ns string) (*GuardRails, error) {
	out := &GuardRails{}
	for _, part := range []struct {
		path string
		into runtime.Object
	}{
		{"/api/v1/namespaces/" + ns + "/resourcequotas", &out.Quotas}, {"/api/v1/namespaces/" + ns + "/limitranges", &out.LimitRanges},
		{"/apis/networking.k8s.io/v1/namespaces/" + ns + "/networkpolicies", &out.NetworkPolicies},
	} {
		if err := c.rest.Get().AbsPath(part.path).Do(ctx).Into(part.into); err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
	}
	return out, nil
}

// GuardRails are the objects that restrict the tenants of a namespace.
type GuardRails struct {
	Quotas          corev1.ResourceQuotaList
	LimitRanges     corev1.LimitRangeList
	NetworkPolicies networkingv1.NetworkPolicyList
}

// Refresh replaces the objects of a temporary namespace by the current objects of its
// class. Reasons: NotFound, Conflict, Invalid (the class differs in fields that are
// fixed at creation, or has changed again), Forbidden (a budget has no room for the
// additional amounts).
func (c *Client) Refresh(ctx context.Context, tn *v1alpha1.TemporaryNamespace, revision string, o metav1.PatchOptions) (*v1alpha1.TemporaryNamespace, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": tn.UID}, "spec": map[string]any{"classRevision": revision}})
	if err != nil {
		return nil, fmt.Errorf("encode the revision: %w", err)
	}
	return c.Patch(ctx, tn.Name, types.MergePatchType, patch, o)
}

// CreateQueued is like Create, but waits for room in a budget: it repeats the request
// for at most d, and calls onQueued with the broker's message about the position in the
// queue whenever the message changes. A request ID is required; it keeps the position.
// Reasons: those of Create; TooManyRequests if d has elapsed.
func (c *Client) CreateQueued(ctx context.Context, tn *v1alpha1.TemporaryNamespace, d time.Duration, onQueued func(string), o metav1.CreateOptions) (*v1alpha1.TemporaryNamespace, error) {
	if tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
		return nil, fmt.Errorf("the annotation %q is required to wait in the queue", v1alpha1.AnnotationRequestID)
	}
	tn = tn.DeepCopy()
	end, last := time.Now().Add(d), ""
	for {
		tn.Annotations[v1alpha1.AnnotationWait] = max(time.Until(end), time.Second).Round(time.Second).String()
		created, err := c.Create(ctx, tn, o)
		message, retryAfter := IsQueued(err)
		if s, ok := apierrors.SuggestsClientDelay(err); message == "" && last != "" && apierrors.IsConflict(err) && ok {
			message, retryAfter = last, time.Duration(s)*time.Second // a creation that lost a race is being rolled back, and its name is not free yet
		}
		if message == "" {
			return created, err
		}
		if message != last {
			onQueued(message)
			last = message
		}
		if time.Now().Add(retryAfter).After(end) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

// IsQueued returns the message in err about the position in the queue, and the time after
// which to retry; the message is empty for any other error.
func IsQueued(err error) (message string, retryAfter time.Duration) {
	if status := cause(err, v1alpha1.CauseInLine); status != nil {
		return status.Message, time.Duration(status.Details.RetryAfterSeconds) * time.Second
	}
	return "", 0
}

// IsOverBudget returns the name of the exhausted budget that err reports, or "" for any
// other error. wait is false if waiting does not help because an administrator has to
// act.
func IsOverBudget(err error) (budget string, wait bool) {
	if status := cause(err, v1alpha1.CauseBudgetExceeded); status != nil {
		return status.Details.Causes[0].Field, true
	}
	if status := cause(err, v1alpha1.CauseBudgetImpossible); status != nil {
		return status.Details.Causes[0].Field, false
	}
	return "", false
}

func cause(err error, causeType metav1.CauseType) *metav1.Status {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		return nil
	}
	s := api.Status()
	if s.Details == nil || len(s.Details.Causes) == 0 || s.Details.Causes[0].Type != causeType {
		return nil
	}
	return &s
}
