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
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/registry/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

const (
	// createTimeout bounds the making of one namespace. The request handlers give
	// up at 30 s and kube-apiserver at 60 s.
	createTimeout = 25 * time.Second
	// settle is how long after its watch event a new namespace is left alone.
	// Admission in kube-apiserver sees it by a sibling of our watch, and a request
	// that comes before that sleeps 50 ms there (missingNamespaceWait).
	settle = time.Millisecond
)

var (
	errUID      = errors.New("the UID does not match: it is another namespace of that name")
	errNotOwner = fmt.Errorf("it belongs to somebody else, and you lack the verb %q", v1alpha1.VerbAdminister)
)

// Create makes a namespace and answers once its owner, the caller or a group of
// theirs, can use it.
//
// A request with the annotation tenama.dev/request-id may be repeated: it finds
// what the first one made, and goes on with it. A generateName is completed
// with words derived from the owner and that id. With the annotation
// tenama.dev/wait-for-capacity it stands in line where a budget is full.
//
// Errors: Invalid (with the field), Forbidden (a user that cannot own, a class that
// the caller may not use, a budget that is full; then details.causes tells which),
// AlreadyExists, Conflict (the name was used by somebody else seconds ago, or
// the namespace is being deleted), TooManyRequests (in line, come again),
// ServerTimeout (repeat it), InternalError.
func (r *Registry) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, o *metav1.CreateOptions) (runtime.Object, error) {
	tn, ok := obj.(*v1alpha1.TemporaryNamespace)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a TemporaryNamespace: %T", obj))
	}
	if tn.ResourceVersion != "" {
		return nil, apierrors.NewBadRequest("metadata.resourceVersion must not be set on an object to be created")
	}
	owner := userOf(ctx)
	if err := r.mayOwn(ctx, tn, owner); err != nil {
		return nil, err
	}
	wait := tn.Annotations[v1alpha1.AnnotationWait]
	request := fingerprint(tn)
	class, err := r.complete(ctx, tn, owner)
	if err != nil {
		return nil, err
	}
	if err := r.mayUse(ctx, class.Name); err != nil {
		return nil, err
	}
	delete(tn.Annotations, v1alpha1.AnnotationWait)
	if validate != nil {
		if err := validate(ctx, tn); err != nil {
			return nil, err
		}
	}
	ns, what, err := r.namespace(tn, class, owner, request)
	if err != nil {
		return nil, err
	}
	if wait := r.Cache.quarantined(tn.Name, ns.Labels[v1alpha1.LabelOwner]); wait > 0 {
		err := apierrors.NewConflict(groupResource, tn.Name, fmt.Errorf("the name was somebody else's until just now; it is free in %d s", int(wait/time.Second)+1))
		err.ErrStatus.Details.RetryAfterSeconds = int32(wait/time.Second) + 1
		return nil, err
	}
	release, err := r.reserve(ctx, ns, wait, len(o.DryRun) > 0)
	if err != nil {
		return nil, r.translate(ctx, err, tn.Name)
	}
	defer release()
	if len(o.DryRun) > 0 {
		release()
		out, err := r.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{DryRun: o.DryRun})
		if apierrors.IsAlreadyExists(err) {
			out, err = r.adopt(ctx, ns, owner, true)
		}
		if err != nil {
			return nil, r.translate(ctx, err, tn.Name)
		}
		return view(out), nil
	}
	made, err := r.begin(ctx, ns, what, class, owner)
	if wait != "" && apierrors.IsForbidden(err) { // another replica was faster
		if again := r.Admission.Again(ns, placeOf(ns)); again != nil {
			err = again
		}
	}
	return made, err
}

// mayOwn refuses identities that are not one person or program, and users of
// the system, who are never given access, unless they have it anyway.
func (r *Registry) mayOwn(ctx context.Context, tn *v1alpha1.TemporaryNamespace, u user.Info) error {
	refuse := func(why string) error {
		return apierrors.NewForbidden(groupResource, "", fmt.Errorf("%s cannot own a temporary namespace", why))
	}
	switch {
	case u == nil || u.GetName() == "" || u.GetName() == user.Anonymous:
		return refuse("an anonymous user")
	case strings.HasPrefix(u.GetName(), "system:node:"):
		return refuse("a node")
	}
	if ns, _, err := serviceaccount.SplitUsername(u.GetName()); err == nil && begins(ns, r.Prefixes) {
		// It ends with its namespace, and whoever has the name next would be it.
		return refuse("a ServiceAccount of a temporary namespace")
	}
	for _, g := range u.GetGroups() {
		if g == user.AllUnauthenticated {
			return refuse("an unauthenticated user")
		}
	}
	if g := tn.Spec.OwnerGroup; g != "" && !strings.HasPrefix(g, "system:") && !slices.Contains(u.GetGroups(), g) {
		if admin, err := r.may(ctx, v1alpha1.VerbAdminister); admin || err != nil { // who adds a team need not be in it
			return err
		}
		return apierrors.NewForbidden(groupResource, tn.Name, fmt.Errorf("you are not in group %q, and so cannot make it the owner", g))
	}
	if bindsUser(u.GetName()) || tn.Spec.OwnerGroup != "" {
		return nil
	}
	switch ok, err := r.allowed(ctx, u, authorizationv1.ResourceAttributes{Namespace: tn.Name, Verb: "create", Resource: "configmaps"}); {
	case err != nil:
		return r.translate(ctx, err, tn.Name)
	case !ok:
		return refuse(fmt.Sprintf("the system user %q is never given access, has none of its own, and so", u.GetName()))
	}
	return nil
}

// complete fills in what tn leaves open, and validates it.
func (r *Registry) complete(ctx context.Context, tn *v1alpha1.TemporaryNamespace, owner user.Info) (*policyv1alpha1.NamespaceClass, error) {
	invalid := func(errs field.ErrorList) error {
		return apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), tn.Name, errs)
	}
	spec := field.NewPath("spec")
	class, err := r.Classes.Class(ctx, tn.Spec.ClassName)
	var bad *field.Error
	if err != nil && !errors.As(err, &bad) {
		return nil, err
	}
	prefix := r.Prefixes[0]
	if class != nil && class.Spec.Prefix != "" {
		prefix = class.Spec.Prefix
	}
	var errs field.ErrorList
	if tn.Name == "" && tn.GenerateName != "" {
		if tn.Annotations[v1alpha1.AnnotationWait] != "" && tn.Annotations[v1alpha1.AnnotationRequestID] == "" {
			errs = append(errs, field.Required(field.NewPath("metadata", "annotations").Key(v1alpha1.AnnotationRequestID), "keeps the place in line of a request without a name"))
		}
		tn.Name = r.generate(tn, owner)
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
	errs = append(errs, lifetime(tn, class)...)
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

// lifetime gives tn the TTL of the class, where it has none.
func lifetime(tn *v1alpha1.TemporaryNamespace, class *policyv1alpha1.NamespaceClass) field.ErrorList {
	path := field.NewPath("spec", "ttlSeconds")
	life := class.Spec.Lifetime
	switch ttl := tn.Spec.TTLSeconds; {
	case life.Type == policyv1alpha1.LifetimeUnbounded && ttl != nil:
		return field.ErrorList{field.Invalid(path, *ttl, fmt.Sprintf("must be left out: namespaces of class %q do not expire", class.Name))}
	case life.Type == policyv1alpha1.LifetimeUnbounded:
	case ttl == nil && tn.Spec.LeaseDurationSeconds != nil: // the lease ends it, and nothing else before it must
		tn.Spec.TTLSeconds = &life.MaximumTTLSeconds
	case ttl == nil:
		tn.Spec.TTLSeconds = &life.DefaultTTLSeconds
	case *ttl > life.MaximumTTLSeconds:
		return field.ErrorList{field.Invalid(path, *ttl,
			fmt.Sprintf("must be at most %d (%s), the maximum of class %q", life.MaximumTTLSeconds, duration.HumanDuration(time.Duration(life.MaximumTTLSeconds)*time.Second), class.Name))}
	}
	return nil
}

// begin creates ns, or adopts what an earlier try of the same request made,
// and brings it to its usable end.
func (r *Registry) begin(ctx context.Context, ns *corev1.Namespace, what *content, class *policyv1alpha1.NamespaceClass, owner user.Info) (runtime.Object, error) {
	ctx, cancel := detach(ctx, createTimeout)
	defer cancel()
	r.work.Add(1)
	defer r.work.Add(-1)

	made, err := r.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	adopted := apierrors.IsAlreadyExists(err)
	if adopted {
		if made, err = r.adopt(ctx, ns, owner, false); err == nil && made.Annotations[v1alpha1.AnnotationReady] == "true" {
			return view(made), nil
		}
		if err == nil { // by what it was begun with
			what, err = r.content(class, values(made))
		}
	}
	if err != nil {
		return nil, r.translate(ctx, err, ns.Name)
	}
	begun := time.Now()
	if err := r.Cache.wait(ctx, made); err != nil { // the watch lags: a repeated request, or recovery, goes on from here
		return nil, r.failed(ctx, err, made)
	}
	if lag := time.Since(begun); lag > time.Second {
		r.Log.Warn("The watch of namespaces lags; until it has caught up, creations may be written that are refused then", "lagMilliseconds", lag.Milliseconds())
	}
	if err := r.Admission.Admitted(made); err != nil {
		if adopted { // whoever made it is about to say so, or it ends as what is left half-made does
			return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
		}
		ready, err := r.refuse(ctx, made, err)
		if err != nil {
			return nil, r.failed(ctx, err, made)
		}
		return view(ready), nil
	}
	time.Sleep(settle)
	ready, err := r.finish(ctx, made, what, class, owner)
	if err != nil {
		if ready != nil {
			made = ready
		}
		if r.ended(ctx, made) {
			return nil, apierrors.NewConflict(groupResource, ns.Name, errDeleting)
		}
		r.undo(ctx, made, err)
		return nil, r.translate(ctx, err, ns.Name)
	}
	r.Log.Info("Created", "namespace", ready.Name, "uid", ready.UID, "owner", owner.GetName(), "class", class.Name, "auditID", auditID(ctx))
	return view(ready), nil
}
