// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// prepareForCreate completes tn by its class, and validates it. Errors: Invalid, and
// those of Classes.
func (r *Registry) prepareForCreate(ctx context.Context, tn *v1alpha1.TemporaryNamespace, owner user.Info) (*policyv1alpha1.NamespaceClass, error) {
	prefix := r.Prefixes[0]
	invalid := func(errs field.ErrorList) error {
		err := apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), tn.Name, errs)
		if tn.Name != "" && !strings.HasPrefix(tn.Name, prefix) {
			err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: v1alpha1.CauseNamePrefix, Field: prefix, Message: "the name has to begin with it"})
		}
		return err
	}
	spec := field.NewPath("spec")
	class, err := r.Classes.Class(ctx, tn.Spec.ClassName)
	var bad *field.Error
	if err != nil && !errors.As(err, &bad) {
		return nil, err
	}
	if class != nil && class.Spec.Prefix != "" {
		prefix = class.Spec.Prefix
	}
	var errs field.ErrorList
	if tn.Name == "" && tn.GenerateName != "" {
		if tn.Annotations[v1alpha1.AnnotationWait] != "" && tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
			errs = append(errs, field.Required(field.NewPath("metadata", "annotations").Key(v1alpha1.AnnotationRequestID), "keeps the position in the queue of a request without a name"))
		}
		tn.Name = r.generateName(tn, owner)
	}
	errs = append(errs, v1alpha1.Validate(tn, prefix)...)
	if tn.Spec.ExtendUntil != nil {
		errs = append(errs, field.Forbidden(spec.Child("extendUntil"), "set ttlSeconds to create; extendUntil is for later"))
	}
	if tn.Spec.RenewTime != nil && tn.Spec.LeaseDurationSeconds != nil {
		errs = append(errs, field.Forbidden(spec.Child("renewTime"), "leave it out to create: a lease begins with the creation"))
	}
	if bad != nil {
		return nil, invalid(append(errs, bad))
	}
	errs = append(errs, defaultLifetime(tn, class)...)
	chosen, wrong := class.Spec.Choose(tn.Spec.Parameters, spec.Child("parameters"))
	errs = append(errs, wrong...)
	if rev := class.Status.Revision; tn.Spec.ClassRevision != "" && tn.Spec.ClassRevision != rev {
		errs = append(errs, field.Invalid(spec.Child("classRevision"), tn.Spec.ClassRevision, fmt.Sprintf("leave it out; that of the class is %q", rev)))
	}
	tn.Spec.ClassName, tn.Spec.Parameters = class.Name, chosen
	if len(errs) > 0 {
		return nil, invalid(errs)
	}
	tn.Generation = 1
	return class, nil
}

// defaultLifetime gives tn the TTL of the class if it has none.
func defaultLifetime(tn *v1alpha1.TemporaryNamespace, class *policyv1alpha1.NamespaceClass) field.ErrorList {
	path := field.NewPath("spec", "ttlSeconds")
	life := class.Spec.Lifetime
	switch ttl := tn.Spec.TTLSeconds; {
	case life.Type == policyv1alpha1.LifetimeUnbounded && ttl != nil:
		return field.ErrorList{field.Invalid(path, *ttl, fmt.Sprintf("must be left out: namespaces of class %q do not expire", class.Name))}
	case life.Type == policyv1alpha1.LifetimeUnbounded:
	case ttl == nil && tn.Spec.LeaseDurationSeconds != nil: // the lease ends it; the TTL must not end it before
		tn.Spec.TTLSeconds = &life.MaximumTTLSeconds
	case ttl == nil:
		tn.Spec.TTLSeconds = &life.DefaultTTLSeconds
	case *ttl > life.MaximumTTLSeconds:
		return field.ErrorList{field.Invalid(path, *ttl,
			fmt.Sprintf("must be at most %d (%s), the maximum of class %q", life.MaximumTTLSeconds, duration.HumanDuration(time.Duration(life.MaximumTTLSeconds)*time.Second), class.Name))}
	}
	return nil
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
		if admin, err := r.authorized(ctx, v1alpha1.VerbAdminister); admin || err != nil { // an administrator who adds a team need not be in it
			return err
		}
		return apierrors.NewForbidden(groupResource, tn.Name, fmt.Errorf("you are not in group %q, and so cannot make it the owner", g))
	}
	if lifecycle.Binds(u.GetName()) || tn.Spec.OwnerGroup != "" {
		return nil
	}
	switch ok, err := r.Lifecycle.Allowed(ctx, u, authorizationv1.ResourceAttributes{Namespace: tn.Name, Verb: "create", Resource: "configmaps"}); {
	case err != nil:
		return r.translate(ctx, err, tn.Name)
	case !ok:
		return forbidden("system user %q cannot own a temporary namespace: it gets no RoleBinding, and has no access of its own", u.GetName())
	}
	return nil
}

// validateImmutable returns errors for the fields of the metadata that no client can
// set, as kube-apiserver does for any object.
func validateImmutable(tn, old *v1alpha1.TemporaryNamespace) field.ErrorList {
	meta := field.NewPath("metadata")
	var errs field.ErrorList
	if t := tn.DeletionTimestamp; t != nil && !t.Equal(old.DeletionTimestamp) {
		errs = append(errs, field.Invalid(meta.Child("deletionTimestamp"), t, apivalidation.FieldImmutableErrorMsg))
	}
	if s := tn.DeletionGracePeriodSeconds; s != nil && (old.DeletionGracePeriodSeconds == nil || *s != *old.DeletionGracePeriodSeconds) {
		errs = append(errs, field.Invalid(meta.Child("deletionGracePeriodSeconds"), *s, apivalidation.FieldImmutableErrorMsg))
	}
	return errs
}

// prepareForUpdate puts back what a client cannot set, and what it left out.
func prepareForUpdate(tn, old *v1alpha1.TemporaryNamespace) {
	tn.TypeMeta, tn.Status = old.TypeMeta, old.Status
	tn.UID, tn.ResourceVersion, tn.Generation = old.UID, old.ResourceVersion, old.Generation
	tn.CreationTimestamp, tn.DeletionTimestamp, tn.DeletionGracePeriodSeconds = old.CreationTimestamp, old.DeletionTimestamp, old.DeletionGracePeriodSeconds
	tn.GenerateName = old.GenerateName
	if tn.Spec.ClassName == "" {
		tn.Spec.ClassName = old.Spec.ClassName
	}
	if tn.Spec.ClassRevision == "" {
		tn.Spec.ClassRevision = old.Spec.ClassRevision
	}
	if tn.Spec.OwnerGroup == "" {
		tn.Spec.OwnerGroup = old.Spec.OwnerGroup
	}
	for name, value := range old.Spec.Parameters {
		if _, said := tn.Spec.Parameters[name]; !said {
			if tn.Spec.Parameters == nil {
				tn.Spec.Parameters = map[string]string{}
			}
			tn.Spec.Parameters[name] = value
		}
	}
	delete(tn.Annotations, v1alpha1.AnnotationWait) // for creation only
	if tn.Spec.TTLSeconds == nil {
		tn.Spec.TTLSeconds = old.Spec.TTLSeconds
	}
	if tn.Spec.LeaseDurationSeconds == nil {
		tn.Spec.LeaseDurationSeconds = old.Spec.LeaseDurationSeconds
	}
	if t := tn.Spec.RenewTime; t == nil {
		tn.Spec.RenewTime = old.Spec.RenewTime
	} else {
		tn.Spec.RenewTime = &metav1.Time{Time: t.Truncate(time.Second)}
	}
	if tn.Spec.ExtendUntil == nil { // a manifest leaves it out; applying one must not undo an extension
		tn.Spec.ExtendUntil = old.Spec.ExtendUntil
	} else { // whole seconds are kept: a fraction must not look like a change each time
		tn.Spec.ExtendUntil = &metav1.Time{Time: tn.Spec.ExtendUntil.Truncate(time.Second)}
	}
	if id := old.Annotations[v1alpha1.AnnotationRequestID]; id != "" && tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
		if tn.Annotations == nil {
			tn.Annotations = map[string]string{}
		}
		tn.Annotations[v1alpha1.AnnotationRequestID] = id
	}
}

// checkMutable returns a Conflict for a namespace that is being deleted or has
// expired. kube-apiserver would accept the write, and the caller would take it for an
// extension.
func checkMutable(tn *v1alpha1.TemporaryNamespace, now time.Time) error {
	if tn.DeletionTimestamp != nil {
		err := apierrors.NewConflict(groupResource, tn.Name, lifecycle.ErrDeleting)
		err.ErrStatus.Details.RetryAfterSeconds = 2
		return err
	}
	if at := tn.Status.ExpirationTimestamp; at != nil && !now.Before(at.Time) {
		return apierrors.NewConflict(groupResource, tn.Name, errors.New("it expired at "+at.UTC().Format(time.RFC3339)))
	}
	return nil
}
