// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

var errNotOwner = fmt.Errorf("it belongs to another owner, and you lack the verb %q", v1alpha1.VerbAdminister)

// read returns the Namespace behind a TemporaryNamespace that the caller may access:
// as its owner, or because RBAC grants verb on all of them. Errors: NotFound, also
// for a namespace that the caller may not see; Forbidden, if the caller may see it.
func (r *Registry) read(ctx context.Context, name, verb, resourceVersion string) (*corev1.Namespace, error) {
	if err := checkVersion(resourceVersion); err != nil {
		return nil, err
	}
	ns := &corev1.Namespace{}
	o := &metav1.GetOptions{ResourceVersion: resourceVersion}
	if err := r.once(r.Client.CoreV1().RESTClient().Get()).Name(name).VersionedParams(o,
		metav1.ParameterCodec).Do(ctx).Into(ns); err != nil {
		return nil, r.translate(ctx, err, name)
	}
	if !v1alpha1.IsManaged(ns) {
		return nil, notFound(name)
	}
	if isOwner(userOf(ctx), ns) {
		return ns, nil
	}
	ok, err := r.authorized(ctx, verb)
	if err != nil {
		return nil, err
	}
	if ok {
		return ns, nil
	}
	if verb != v1alpha1.VerbViewAll { // a caller who may see it gets Forbidden instead of NotFound
		if ok, err := r.authorized(ctx, v1alpha1.VerbViewAll); err == nil && ok {
			return nil, apierrors.NewForbidden(groupResource, name, errNotOwner)
		}
	}
	return nil, notFound(name)
}

// authorized reports whether RBAC grants the caller a verb on all temporary
// namespaces. VerbAdminister includes VerbViewAll. Answers are cached for some
// seconds.
func (r *Registry) authorized(ctx context.Context, verb string) (bool, error) {
	u := userOf(ctx)
	if u == nil {
		return false, nil
	}
	for _, v := range grantedBy(verb) {
		d, _, err := r.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
			User: u, Verb: v, APIGroup: groupResource.Group, APIVersion: v1alpha1.GroupVersion.Version,
			Resource: groupResource.Resource, ResourceRequest: true,
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

// grantedBy returns the verbs that include the permission of verb.
func grantedBy(verb string) []string {
	if verb == v1alpha1.VerbViewAll {
		return []string{verb, v1alpha1.VerbAdminister}
	}
	return []string{verb}
}

// checkUse returns Forbidden for a class that the caller may not use.
func (r *Registry) checkUse(ctx context.Context, class string) error {
	d, _, err := r.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: userOf(ctx), Verb: policyv1alpha1.VerbUse, ResourceRequest: true, Name: class,
		APIGroup: policyv1alpha1.GroupVersion.Group, APIVersion: policyv1alpha1.GroupVersion.Version,
		Resource: policyv1alpha1.Resource.Resource,
	})
	switch {
	case err != nil:
		r.Log.Warn("Access review failed", "user", userName(ctx), "verb", policyv1alpha1.VerbUse, "class", class, "err", err,
			"auditID", auditID(ctx))
		return apierrors.NewServerTimeout(groupResource, "authorize", 1)
	case d != authorizer.DecisionAllow:
		err := apierrors.NewForbidden(policyv1alpha1.Resource.GroupResource(), class,
			fmt.Errorf("you may not use this class: it requires the verb %q on namespaceclasses", policyv1alpha1.VerbUse))
		d := err.ErrStatus.Details
		d.Group, d.Kind = groupResource.Group, groupResource.Resource
		d.Causes = append(d.Causes, metav1.StatusCause{Type: v1alpha1.CauseClassNotAllowed, Field: class,
			Message: "the class may not be used"})
		return err
	}
	return nil
}

// isOwner reports whether u owns ns: as the user who created it, or as a member of
// the group that owns it.
func isOwner(u user.Info, ns *corev1.Namespace) bool {
	if u == nil || u.GetName() == "" {
		return false
	}
	if g := ns.Annotations[v1alpha1.AnnotationOwnerGroup]; g != "" {
		return slices.Contains(u.GetGroups(), g)
	}
	return ns.Annotations[v1alpha1.AnnotationOwner] == u.GetName()
}

// ownerHashes returns the values of LabelOwner on the namespaces that u owns.
func ownerHashes(u user.Info) []string {
	if u == nil || u.GetName() == "" {
		return nil
	}
	out := []string{v1alpha1.OwnerHash(u.GetName())}
	for _, g := range u.GetGroups() {
		if !strings.HasPrefix(g, "system:") && g != "" { // those never own
			out = append(out, v1alpha1.GroupHash(g))
		}
	}
	return out
}

func userOf(ctx context.Context) user.Info {
	u, _ := request.UserFrom(ctx)
	return u
}

func userName(ctx context.Context) string {
	if u := userOf(ctx); u != nil {
		return u.GetName()
	}
	return ""
}

// checkOwner returns Forbidden for a caller that cannot own a namespace: an identity
// that is not one person or program, or a user of the system, which gets no
// RoleBinding, unless it has access anyway.
func (r *Registry) checkOwner(ctx context.Context, tn *v1alpha1.TemporaryNamespace, u user.Info) error {
	forbidden := func(format string, args ...any) error {
		return apierrors.NewForbidden(groupResource, "", fmt.Errorf(format, args...))
	}
	switch {
	case u == nil || u.GetName() == "" || u.GetName() == user.Anonymous:
		return forbidden("an anonymous user cannot own a temporary namespace")
	case strings.HasPrefix(u.GetName(), "system:node:"):
		return forbidden("a node cannot own a temporary namespace")
	}
	if ns, _, err := serviceaccount.SplitUsername(u.GetName()); err == nil && hasPrefix(ns, r.Prefixes) {
		// It ends with its namespace, and the next owner of the name could be it.
		return forbidden("a ServiceAccount of a temporary namespace cannot own a temporary namespace")
	}
	for _, g := range u.GetGroups() {
		if g == user.AllUnauthenticated {
			return forbidden("an unauthenticated user cannot own a temporary namespace")
		}
	}
	if g := tn.Spec.OwnerGroup; g != "" && !strings.HasPrefix(g, "system:") && !slices.Contains(u.GetGroups(), g) {
		// An administrator who adds a team need not be in it.
		if admin, err := r.authorized(ctx, v1alpha1.VerbAdminister); admin || err != nil {
			return err
		}
		cause := fmt.Errorf("you are not a member of group %q and cannot make it the owner", g)
		return apierrors.NewForbidden(groupResource, tn.Name, cause)
	}
	if lifecycle.Binds(u.GetName()) || tn.Spec.OwnerGroup != "" {
		return nil
	}
	access := authorizationv1.ResourceAttributes{Namespace: tn.Name, Verb: "create", Resource: "configmaps"}
	switch ok, err := r.Lifecycle.Allowed(ctx, u, access); {
	case err != nil:
		return r.translate(ctx, err, tn.Name)
	case !ok:
		return forbidden("system user %q cannot own a temporary namespace: "+
			"it gets no RoleBinding, and has no access of its own", u.GetName())
	}
	return nil
}
