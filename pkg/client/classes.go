// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
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
