// SPDX-License-Identifier: Apache-2.0

package containment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/denial"
)

// Names of the policies in deploy/base/policies. If kube-apiserver reads them from files,
// the names have a suffix.
const (
	policyBroker     = "tenama-broker"
	policyNamespaces = "tenama-namespaces"
	policyGuardRails = "tenama-guardrails"
)

// Probe is a name for which the policies do not exempt the broker. With it the broker
// proves that the policies deny requests of others.
var Probe = strings.TrimPrefix(v1alpha1.ReservedSuffix, "-")

// breach reports an action that the broker could take and must not.
type breach struct{ why string }

func (b *breach) Error() string { return b.why }

var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

// forbiddenRights lists rights with which the broker could evade any policy, or read
// confidential data. A broker with one of them is bound to more than its own
// ClusterRole, and counts as not contained.
var forbiddenRights = []authorizationv1.ResourceAttributes{
	{Verb: "delete", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicybindings"},
	{Verb: "update", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicybindings"},
	{Verb: "update", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies"},
	{Verb: "create", Group: "admissionregistration.k8s.io", Resource: "mutatingadmissionpolicies"},
	{Verb: "create", Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations"},
	{Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
	{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
	{Verb: "impersonate", Resource: "users"},
	{Verb: "impersonate", Resource: "groups"},
	{Verb: "impersonate", Resource: "serviceaccounts"},
	{Verb: "create", Group: "authentication.k8s.io", Resource: "tokenreviews"},
	{Verb: "create", Resource: "serviceaccounts", Subresource: "token"},
	{Verb: "get", Resource: "secrets"},
	{Verb: "list", Resource: "secrets"},
	{Verb: "get", Resource: "nodes", Subresource: "proxy"},
	{Verb: "create", Resource: "pods"},
}

// prove runs all probes. It returns a *breach if one succeeded, another error if a
// policy is not proven to be in force, and nil if all are. A policy is proven to be in
// force if it has denied a probe, and allowed none. A denial by a policy of another
// owner is inconclusive.
func (p *Prover) prove(ctx context.Context) error {
	for _, right := range forbiddenRights {
		out, err := p.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
			&authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right},
			}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("review the broker's rights: %w", err)
		}
		if out.Status.Allowed {
			return &breach{fmt.Sprintf("it has the right to %s %s: it is bound to more than ClusterRole \"tenama:broker\"",
				right.Verb, strings.Trim(right.Resource+"/"+right.Subresource, "/"))}
		}
	}
	// The broker must be allowed to do its work: policies for another prefix would deny it.
	switch err := p.createNamespace(p.Prefix+"proof", ownLabels, ownAnnotations)(ctx); {
	case isOurs(denial.By(err)):
		return &breach{fmt.Sprintf(
			"the policies deny a regular namespace: deploy/ and the broker must have the same release and prefixes: %v", err)}
	case p.deniedByRBAC(err):
		return &breach{fmt.Sprintf("it lacks the rights of ClusterRole \"tenama:broker\": check that deploy/ is installed "+
			"completely, and that there is no other installation: %v", err)}
	}
	denied := map[string]bool{}
	inconclusive := map[string]error{}
	for _, pr := range append(p.brokerProbes(), p.tenantProbes()...) {
		held, err := p.judge(pr, pr.run(ctx))
		var b *breach
		switch {
		case errors.As(err, &b):
			return err
		case err != nil:
			inconclusive[pr.policy] = err
		case held:
			denied[pr.policy] = true
		}
	}
	for policy, err := range inconclusive {
		if !denied[policy] {
			return fmt.Errorf("ValidatingAdmissionPolicy %q: %w", policy, err)
		}
	}
	p.tenantsProven.Store(denied[policyGuardRails])
	return nil
}

// Labels and annotations that the policies require of a managed namespace.
var (
	ownLabels      = map[string]string{"tenama.dev/managed": "true", "pod-security.kubernetes.io/enforce": "restricted"}
	ownAnnotations = map[string]string{"tenama.dev/owner": Probe, "tenama.dev/pod-security": "restricted",
		"tenama.dev/ttl-seconds": "1", "tenama.dev/max-ttl-seconds": "1"}
)

// createNamespace returns a request that creates a namespace with the labels and
// annotations of a class, so that other policies of the cluster allow it as they allow
// real ones.
func (p *Prover) createNamespace(name string, labels, annotations map[string]string) func(context.Context) error {
	return func(ctx context.Context) error {
		l, a := p.TemplateMetadata()
		maps.Copy(l, labels)
		maps.Copy(a, annotations)
		_, err := p.Client.CoreV1().Namespaces().Create(ctx,
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: l, Annotations: a}}, dryRun)
		return err
	}
}

// probe is a request of the broker that a policy must deny.
type probe struct {
	action   string
	policy   string // name of the policy that must deny it
	namesSet bool   // the message of the policy begins with the sets that it serves
	run      func(context.Context) error
}

func (p *Prover) brokerProbes() []probe {
	core := p.Client.CoreV1()
	return []probe{
		{"create a namespace outside of its prefix", policyBroker, true,
			p.createNamespace("x"+p.Prefix+"outside", ownLabels, ownAnnotations)},
		{"create a namespace that is not marked as its own", policyBroker, false,
			p.createNamespace(p.Prefix+"unmarked", nil, ownAnnotations)},
		{"adopt the namespace that it runs in", policyBroker, false, func(ctx context.Context) error {
			ns, err := core.Namespaces().Get(ctx, p.Namespace, metav1.GetOptions{})
			if err != nil {
				return err
			}
			ns.Labels["tenama.dev/managed"] = "true"
			_, err = core.Namespaces().Update(ctx, ns, metav1.UpdateOptions{DryRun: dryRun.DryRun})
			return err
		}},
		{"delete the namespace that it runs in", policyBroker, false, func(ctx context.Context) error {
			return core.Namespaces().Delete(ctx, p.Namespace, metav1.DeleteOptions{DryRun: dryRun.DryRun})
		}},
		{"give itself access to the namespace that it runs in", policyBroker, true, func(ctx context.Context) error {
			_, err := p.Client.RbacV1().RoleBindings(p.Namespace).Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: Probe, Labels: map[string]string{"tenama.dev/managed": "true"}},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tenama:namespace-manager"},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: p.Namespace, Name: p.ServiceAccount}},
			}, dryRun)
			return err
		}},
		{"register an API that is not its own", policyBroker, false, func(ctx context.Context) error {
			body, err := json.Marshal(map[string]any{
				"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
				"metadata": map[string]any{"name": "v1.probe.tenama.dev"},
				"spec": map[string]any{"group": "probe.tenama.dev", "version": "v1", "groupPriorityMinimum": 1,
					"versionPriority": 1},
			})
			if err != nil {
				return err
			}
			return p.Client.Discovery().RESTClient().Post().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices").
				Param("dryRun", metav1.DryRunAll).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
		}},
		{"let others create a namespace that looks like its own", policyNamespaces, false,
			p.createNamespace(p.Prefix+Probe, ownLabels, ownAnnotations)},
	}
}

// tenantProbes returns the probes of the policy about tenants. Its rules apply to objects
// in managed namespaces, so a probe needs one; it tries several, because one may be
// terminating, or lack the broker's binding.
func (p *Prover) tenantProbes() []probe {
	var out []probe
	for _, ns := range p.SampleNames() {
		out = append(out, probe{"let tenants write guard rails", policyGuardRails, false, func(ctx context.Context) error {
			_, err := p.Client.CoreV1().ResourceQuotas(ns).Create(ctx, &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: Probe, Labels: map[string]string{"tenama.dev/managed": "true"}},
			}, dryRun)
			return err // without the broker's binding: inconclusive, and no doubt
		}})
	}
	return out
}

// judge interprets the error of a probe. It returns held if the policy denied the
// probe, a *breach if a policy failed to, another error if the probe is inconclusive,
// or neither if its result does not depend on the policy.
func (p *Prover) judge(pr probe, err error) (held bool, _ error) {
	by := denial.By(err)
	switch {
	case err == nil || apierrors.IsAlreadyExists(err): // kube-apiserver checks existence after admission
		return false, &breach{fmt.Sprintf("it could %s: ValidatingAdmissionPolicy %q is missing, not bound, or edited",
			pr.action, pr.policy)}
	case p.deniedByRBAC(err):
		return false, nil // RBAC already denies it
	case apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return false, nil // the tenant's namespace was deleted meanwhile; do not reveal its name
	case by == pr.policy && pr.namesSet && !serves(err):
		return false, &breach{fmt.Sprintf("ValidatingAdmissionPolicy %q is not of %s, which this broker needs: %v",
			pr.policy, Set, err)}
	case by == pr.policy:
		return true, nil
	case isOurs(by):
		return false,
			&breach{
				fmt.Sprintf("it could %s if another policy did not deny it: ValidatingAdmissionPolicy %q is missing, not bound, "+
					"or edited: %v", pr.action, pr.policy, err)}
	case by != "" || apierrors.IsForbidden(err):
		return false, fmt.Errorf("the attempt to %s was denied for another reason, which proves nothing: %w", pr.action, err)
	}
	return false, fmt.Errorf("attempt to %s: %w", pr.action, err)
}

// serves reports whether the policy that denied a probe serves the set of this broker.
// Its message begins with the names of its sets.
func serves(err error) bool {
	_, message := denial.Parse(err.Error())
	sets, _, _ := strings.Cut(message, ":")
	return slices.Contains(strings.Split(sets, ", "), Set)
}

func isOurs(policy string) bool {
	return policy == policyBroker || policy == policyNamespaces || policy == policyGuardRails
}

// deniedByRBAC reports whether RBAC denied the request, so that it did not reach admission.
func (p *Prover) deniedByRBAC(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(),
		fmt.Sprintf(`User "system:serviceaccount:%s:%s" cannot `, p.Namespace, p.ServiceAccount))
}
