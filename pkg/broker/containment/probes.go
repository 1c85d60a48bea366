// SPDX-License-Identifier: Apache-2.0

package containment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// Policies, as deploy/policies names them. Given to kube-apiserver as files,
// they have a suffix.
const (
	holdsBroker  = "tenama-broker"
	holdsKeys    = "tenama-namespaces"
	holdsTenants = "tenama-guardrails"
)

// Probe is a name under which the policies do not exempt the broker: with it
// the broker proves that they hold others.
var Probe = strings.TrimPrefix(v1alpha1.ReservedSuffix, "-")

// breach is what the broker could do and must not.
type breach struct{ why string }

func (b *breach) Error() string { return b.why }

var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

// forbidden are rights which, if the broker held them, would let it out of any
// policy, or read what it must not: bound to more than its own ClusterRole, it
// does not go on.
var forbidden = []authorizationv1.ResourceAttributes{
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

// prove tries everything. It returns a *breach if something succeeded, another
// error if some policy is not known to stand, and nil if all are. A policy is
// known to stand when it has denied something, and let nothing through: that
// somebody else's policy denied some attempt first, says nothing either way.
func (p *Prover) prove(ctx context.Context) error {
	for _, right := range forbidden {
		out, err := p.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right},
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("review the broker's rights: %w", err)
		}
		if out.Status.Allowed {
			return &breach{fmt.Sprintf("it holds the right to %s %s: it is bound to more than ClusterRole \"tenama:broker\"", right.Verb, strings.Trim(right.Resource+"/"+right.Subresource, "/"))}
		}
	}
	// What it has to be allowed: policies for another prefix would deny that, too.
	switch err := p.make(p.Prefix+"proof", ownLabels, ownAnnotations)(ctx); {
	case ours(deniedBy(err)):
		return &breach{fmt.Sprintf("the policies and the broker do not fit: are they of one release, with one prefix? Trying to make a namespace as it should: %v", err)}
	case p.heldByRBAC(err):
		return &breach{fmt.Sprintf("it lacks the rights of ClusterRole \"tenama:broker\": is it installed whole, and is there another installation? Trying to make a namespace as it should: %v", err)}
	}
	stands := map[string]bool{}
	doubts := map[string]error{}
	for _, a := range append(p.attacks(), p.tenants()...) {
		held, err := p.judge(a, a.try(ctx))
		var b *breach
		switch {
		case errors.As(err, &b):
			return err
		case err != nil:
			doubts[a.policy] = err
		case held:
			stands[a.policy] = true
		}
	}
	for policy, err := range doubts {
		if !stands[policy] {
			return fmt.Errorf("ValidatingAdmissionPolicy %q: %w", policy, err)
		}
	}
	p.proven.Store(stands[holdsTenants])
	return nil
}

// What a namespace needs to be the broker's.
var (
	ownLabels      = map[string]string{"tenama.dev/managed": "true", "pod-security.kubernetes.io/enforce": "restricted"}
	ownAnnotations = map[string]string{"tenama.dev/owner": Probe, "tenama.dev/pod-security": "restricted", "tenama.dev/ttl-seconds": "1", "tenama.dev/max-ttl-seconds": "1"}
)

// make tries to make a namespace. It looks as one of a class would, so that
// policies of the cluster's own let it pass as they let those.
func (p *Prover) make(name string, labels, annotations map[string]string) func(context.Context) error {
	return func(ctx context.Context) error {
		l, a := p.Like()
		maps.Copy(l, labels)
		maps.Copy(a, annotations)
		_, err := p.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: l, Annotations: a}}, dryRun)
		return err
	}
}

// attack is something that the broker must be denied.
type attack struct {
	what   string
	policy string // that must deny it
	said   string // which the denial must contain
	try    func(context.Context) error
}

func (p *Prover) attacks() []attack {
	core := p.Client.CoreV1()
	return []attack{
		{"make a namespace outside of its prefix", holdsBroker, Set, p.make("x"+p.Prefix+"outside", ownLabels, ownAnnotations)},
		{"make a namespace that is not marked as its own", holdsBroker, "", p.make(p.Prefix+"unmarked", nil, ownAnnotations)},
		{"adopt the namespace that it runs in", holdsBroker, "", func(ctx context.Context) error {
			ns, err := core.Namespaces().Get(ctx, p.Namespace, metav1.GetOptions{})
			if err != nil {
				return err
			}
			ns.Labels["tenama.dev/managed"] = "true"
			_, err = core.Namespaces().Update(ctx, ns, metav1.UpdateOptions{DryRun: dryRun.DryRun})
			return err
		}},
		{"delete the namespace that it runs in", holdsBroker, "", func(ctx context.Context) error {
			return core.Namespaces().Delete(ctx, p.Namespace, metav1.DeleteOptions{DryRun: dryRun.DryRun})
		}},
		{"give itself access to the namespace that it runs in", holdsBroker, Set, func(ctx context.Context) error {
			_, err := p.Client.RbacV1().RoleBindings(p.Namespace).Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: Probe, Labels: map[string]string{"tenama.dev/managed": "true"}},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tenama:namespace-manager"},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: p.Namespace, Name: p.ServiceAccount}},
			}, dryRun)
			return err
		}},
		{"register an API that is not its own", holdsBroker, "", func(ctx context.Context) error {
			body, err := json.Marshal(map[string]any{
				"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": "v1.probe.tenama.dev"},
				"spec": map[string]any{"group": "probe.tenama.dev", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1},
			})
			if err != nil {
				return err
			}
			return p.Client.Discovery().RESTClient().Post().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices").
				Param("dryRun", metav1.DryRunAll).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
		}},
		{"let others make a namespace that looks like its own", holdsKeys, "", p.make(p.Prefix+Probe, ownLabels, ownAnnotations)},
	}
}

// tenants are attacks on the policy that holds tenants. Its rules are about what
// is in a namespace of the broker's, so they need one; several, because one may
// be about to end, or lack the broker's binding.
func (p *Prover) tenants() []attack {
	var out []attack
	for _, ns := range p.Managed() {
		out = append(out, attack{"let tenants write guard rails", holdsTenants, "", func(ctx context.Context) error {
			_, err := p.Client.CoreV1().ResourceQuotas(ns).Create(ctx, &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: Probe, Labels: map[string]string{"tenama.dev/managed": "true"}},
			}, dryRun)
			return err // where the broker's binding is missing, it proves nothing, and raises no doubt
		}})
	}
	return out
}

// judge tells what it means that an attack ended with err: that the policy holds,
// a breach, another error if it proves nothing, or nothing at all.
func (p *Prover) judge(a attack, err error) (held bool, _ error) {
	by := deniedBy(err)
	switch {
	case err == nil || apierrors.IsAlreadyExists(err): // that comes after admission
		return false, &breach{fmt.Sprintf("it could %s: ValidatingAdmissionPolicy %q is missing, not bound, or edited", a.what, a.policy)}
	case p.heldByRBAC(err):
		return false, nil // it has not even the right
	case apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return false, nil // a tenant's namespace that has ended meanwhile; its name is nobody else's business
	case by == a.policy && !strings.Contains(err.Error(), a.said):
		return false, &breach{fmt.Sprintf("ValidatingAdmissionPolicy %q is not of %s, which this broker needs: %v", a.policy, Set, err)}
	case by == a.policy:
		return true, nil
	case ours(by):
		return false, &breach{fmt.Sprintf("it could %s, if another policy did not refuse it: ValidatingAdmissionPolicy %q is missing, not bound, or edited: %v", a.what, a.policy, err)}
	case by != "" || apierrors.IsForbidden(err):
		return false, fmt.Errorf("trying to %s was refused by somebody else, which proves nothing: %w", a.what, err)
	}
	return false, fmt.Errorf("could not try to %s: %w", a.what, err)
}

var denial = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']*)'`)

// deniedBy returns the policy that denied a request, without the suffix of those
// that kube-apiserver has from files; empty if none did.
func deniedBy(err error) string {
	if err == nil {
		return ""
	}
	m := denial.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	return strings.TrimSuffix(m[1], ".static.k8s.io")
}

func ours(policy string) bool {
	return policy == holdsBroker || policy == holdsKeys || policy == holdsTenants
}

// heldByRBAC tells whether the request did not get as far as admission.
func (p *Prover) heldByRBAC(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), fmt.Sprintf(`User "system:serviceaccount:%s:%s" cannot `, p.Namespace, p.ServiceAccount))
}
