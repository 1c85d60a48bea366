// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/registry/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/lifecycle"
)

// Create creates a namespace and returns when its owner, the caller or a group of the
// caller, can use it.
//
// A request with the annotation tenama.dev/request-id may be repeated: it finds the
// namespace that the first one created, and completes it. A generateName is completed
// with words derived from the owner and that id. With the annotation
// tenama.dev/wait-for-capacity the request waits in a queue where a budget is full.
//
// Errors: Invalid (with the field); Forbidden (a user that cannot own, a class that
// the caller may not use, a budget that is full: details.causes says which);
// AlreadyExists; Conflict (the name was another owner's seconds ago, or the
// namespace is being deleted); TooManyRequests (in the queue: repeat);
// ServerTimeout (repeat); InternalError.
func (r *Registry) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc,
	o *metav1.CreateOptions) (runtime.Object, error) {
	tn, ok := obj.(*v1alpha1.TemporaryNamespace)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a TemporaryNamespace: %T", obj))
	}
	if tn.ResourceVersion != "" {
		return nil, apierrors.NewBadRequest("metadata.resourceVersion must not be set on an object to be created")
	}
	began := time.Now()
	out, err := r.create(ctx, tn, validate, o.DryRun)
	if len(o.DryRun) == 0 {
		r.Created(err, time.Since(began))
		r.logRefusal(ctx, tn, err)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// refusalInterval is the least time between two lines about refusals: a user in a loop does not
// crowd everything else out of the log.
const refusalInterval = time.Second

// logRefusal logs that a budget refused a namespace, for those who look for the user whose
// program does not stop asking. A request that waits for capacity is not refused.
func (r *Registry) logRefusal(ctx context.Context, tn *v1alpha1.TemporaryNamespace, err error) {
	if !apierrors.HasStatusCause(err, v1alpha1.CauseBudgetExceeded) &&
		!apierrors.HasStatusCause(err, v1alpha1.CauseBudgetImpossible) ||
		apierrors.HasStatusCause(err, v1alpha1.CauseInLine) {
		return
	}
	now, last := time.Now().UnixNano(), r.refused.Load()
	if now-last >= int64(refusalInterval) && r.refused.CompareAndSwap(last, now) {
		r.Log.Info("Refused", "namespace", tn.Name, "user", userName(ctx), "class", tn.Spec.ClassName, "err", err,
			"auditID", auditID(ctx))
	}
}

func (r *Registry) create(ctx context.Context, tn *v1alpha1.TemporaryNamespace, validate rest.ValidateObjectFunc,
	dryRun []string) (runtime.Object, error) {
	req, err := r.prepare(ctx, tn)
	if err != nil {
		return nil, err
	}
	if validate != nil {
		if err := validate(ctx, tn); err != nil {
			return nil, err
		}
	}
	if err := r.checkQuarantine(req.Namespace); err != nil {
		return nil, err
	}
	release, err := r.reserve(ctx, req.Namespace, req.wait, len(dryRun) > 0)
	if err != nil {
		return nil, r.translate(ctx, err, tn.Name)
	}
	if len(dryRun) > 0 {
		release()
		return r.createDryRun(ctx, req, dryRun)
	}
	defer release()
	wanted := req.Namespace
	ns, err := r.provision(ctx, req)
	if req.wait != "" && apierrors.IsForbidden(err) { // another replica filled the budget first
		if position := r.Admission.Requeue(wanted, queueID(wanted)); position != nil {
			err = position
		}
	}
	if err != nil {
		return nil, r.translate(ctx, err, tn.Name)
	}
	return fromNamespace(ns), nil
}

// createRequest is a request for a namespace, validated and completed.
type createRequest struct {
	lifecycle.Request
	wait string // for capacity
}

// prepare validates and completes tn, and builds the Namespace for it. Errors:
// Forbidden, Invalid, and those of Classes.
func (r *Registry) prepare(ctx context.Context, tn *v1alpha1.TemporaryNamespace) (*createRequest, error) {
	owner := userOf(ctx)
	if err := r.checkOwner(ctx, tn, owner); err != nil {
		return nil, err
	}
	wait, id := tn.Annotations[v1alpha1.AnnotationWait], fingerprint(tn)
	class, err := r.complete(ctx, tn, owner)
	if err != nil {
		return nil, err
	}
	if err := r.checkUse(ctx, class.Name); err != nil {
		return nil, err
	}
	delete(tn.Annotations, v1alpha1.AnnotationWait)
	ns, manifests, err := r.buildNamespace(tn, class, owner, id)
	if err != nil {
		return nil, err
	}
	return &createRequest{lifecycle.Request{Namespace: ns, Class: class, Manifests: manifests, Owner: owner}, wait}, nil
}

// complete names tn, completes it by its class, and validates it.
func (r *Registry) complete(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, owner user.Info,
) (*policyv1alpha1.NamespaceClass, error) {
	s := &createStrategy{Scheme: typer, prefix: r.Prefixes[0]}
	var err error
	s.class, err = r.Classes.Class(ctx, tn.Spec.ClassName)
	if err != nil && !errors.As(err, &s.classError) {
		return nil, err
	}
	if s.class != nil && s.class.Spec.Prefix != "" {
		s.prefix = s.class.Spec.Prefix
	}
	if tn.Name == "" && tn.GenerateName != "" {
		s.generated = true
		tn.Name = r.generateName(tn, owner)
	}
	rest.FillObjectMetaSystemFields(tn)
	err = rest.BeforeCreate(s, ctx, tn)
	var status *apierrors.StatusError
	if apierrors.IsInvalid(err) && tn.Name != "" && !strings.HasPrefix(tn.Name, s.prefix) && errors.As(err, &status) {
		status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{
			Type: v1alpha1.CauseNamePrefix, Field: s.prefix, Message: "the name must begin with this prefix",
		})
	}
	return s.class, err
}

// checkQuarantine returns a Conflict for a name that was another owner's seconds ago.
func (r *Registry) checkQuarantine(ns *corev1.Namespace) error {
	wait := r.Cache.Quarantined(ns.Name, ns.Labels[v1alpha1.LabelOwner])
	if wait <= 0 {
		return nil
	}
	seconds := int32(wait/time.Second) + 1
	err := apierrors.NewConflict(groupResource, ns.Name,
		fmt.Errorf("the name belonged to another owner until recently; it becomes free in %d s", seconds))
	err.ErrStatus.Details.RetryAfterSeconds = seconds
	return err
}

// provision creates the Namespace, or accepts the one that an earlier try of the same
// request created, and makes it usable. It continues if the caller disconnects.
func (r *Registry) provision(ctx context.Context, req *createRequest) (*corev1.Namespace, error) {
	ctx, done := r.Lifecycle.Start(ctx)
	defer done()
	ns, err := r.Client.CoreV1().Namespaces().Create(ctx, req.Namespace, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		req.Adopted = true
		ns, err = r.adopt(ctx, req.Namespace, req.Owner, false)
		if err == nil && v1alpha1.IsReady(ns) {
			return ns, nil
		}
		if err == nil { // complete it as it was begun
			req.Manifests, err = r.Lifecycle.Render(req.Class, lifecycle.Values(ns))
		}
	}
	if err != nil {
		return nil, err
	}
	req.Namespace = ns
	if ns, err = r.Lifecycle.Provision(ctx, req.Request); err != nil {
		return nil, err
	}
	r.Log.Info("Created", "namespace", ns.Name, "uid", ns.UID, "owner", req.Owner.GetName(), "class", req.Class.Name,
		"auditID", auditID(ctx))
	r.Later.Record(ns, createdDelay, createdEvent(fromNamespace(ns)))
	return ns, nil
}

// createDryRun answers as Create would, and creates nothing.
func (r *Registry) createDryRun(ctx context.Context, req *createRequest, dryRun []string) (runtime.Object, error) {
	ns, err := r.Client.CoreV1().Namespaces().Create(ctx, req.Namespace, metav1.CreateOptions{DryRun: dryRun})
	if apierrors.IsAlreadyExists(err) {
		ns, err = r.adopt(ctx, req.Namespace, req.Owner, true)
	}
	if err != nil {
		return nil, r.translate(ctx, err, req.Namespace.Name)
	}
	return fromNamespace(ns), nil
}
