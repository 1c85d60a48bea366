// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// Names of what the broker makes in each namespace, beside the class's objects.
const (
	managerRole   = "tenama:namespace-manager" // deploy/base/rbac.yaml
	managerBroker = "tenama:broker"            // binds managerRole to the broker
	ownerBinding  = "tenama:owner"             // binds the class's role to the owner

	labelManagedBy   = "app.kubernetes.io/managed-by"
	managedBy        = "tenama"
	labelPodSecurity = "pod-security.kubernetes.io/enforce"
)

// patience is how long a freshly granted right may take to reach the RBAC
// cache of kube-apiserver; until then it answers Forbidden.
const patience = 3 * time.Second

// finish brings a namespace to its usable end, from wherever an earlier try
// left it: each step makes what is missing and takes what is there. The order
// is what makes it safe; see the package comment. After an error it returns the
// namespace if it was marked as ready already.
func (r *Registry) finish(ctx context.Context, ns *corev1.Namespace, what *content, class *policyv1alpha1.NamespaceClass, owner user.Info) (*corev1.Namespace, error) {
	// The broker has no rights inside the namespace until it binds itself.
	if _, err := r.bindSelf(ctx, ns.Name, what.raw); err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	// The default account is one of them: pods run as it, whoever makes it first.
	objs := append(slices.Clip(what.objs), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	for _, obj := range objs {
		g.Go(func() error { return r.guard(gctx, ns.Name, obj) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if binds(ns) {
		if _, err := r.bind(ctx, ns.Name, ownerBinding, class.Spec.OwnerRole, subjectOf(ns), nil); err != nil {
			return nil, fmt.Errorf("bind the owner to %q: %w", class.Spec.OwnerRole, err)
		}
	}
	g, gctx = errgroup.WithContext(ctx)
	var ready *corev1.Namespace
	if binds(ns) {
		if ns.Annotations[v1alpha1.AnnotationOwnerGroup] != "" { // whoever adds a team need not be in it
			owner = assume(ns)
		}
		g.Go(func() error { return r.usable(gctx, ns.Name, class.Spec.OwnerRole, owner) })
	}
	g.Go(func() (err error) { ready, err = r.mark(gctx, ns); return err })
	if err := g.Wait(); err != nil {
		return ready, err
	}
	return ready, r.Cache.wait(ctx, ready) // so that a list that follows shows it as it was answered
}

// ownLabels mark what the broker makes.
var ownLabels = map[string]string{v1alpha1.LabelManaged: "true", labelManagedBy: managedBy}

// bindSelf gives the broker its role in the namespace. The binding carries the
// objects of the class, so that what is to be there stays known when the class
// changes; tenants can neither change it nor remove it. It tells whether it made
// the binding, or found one.
func (r *Registry) bindSelf(ctx context.Context, ns string, objects []runtime.RawExtension) (made bool, _ error) {
	record, err := json.Marshal(objects)
	if err != nil {
		return false, fmt.Errorf("encode the guard rails of %q: %w", ns, err)
	}
	self := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: r.Self.Namespace, Name: r.Self.Name}
	made, err = r.bind(ctx, ns, managerBroker, managerRole, self, map[string]string{v1alpha1.AnnotationGuardRails: string(record)})
	if err != nil {
		return false, fmt.Errorf("bind the broker: %w", err)
	}
	return made, nil
}

func (r *Registry) bind(ctx context.Context, ns, name, role string, subject rbacv1.Subject, annotations map[string]string) (made bool, _ error) {
	_, err := r.Client.RbacV1().RoleBindings(ns).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, Labels: ownLabels, Annotations: annotations},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// usable waits until kube-apiserver lets the owner in. What a role of the
// administrator's own contains is not known, so for any but the built-in ones
// the wait is for one of several rights; a role that has none of them is taken
// to work after a while.
func (r *Registry) usable(ctx context.Context, ns, role string, owner user.Info) error {
	probes := []authorizationv1.ResourceAttributes{{Namespace: ns, Verb: "create", Resource: "configmaps"}}
	builtIn := role == "admin" || role == "edit"
	if !builtIn {
		probes = append(probes, authorizationv1.ResourceAttributes{Namespace: ns, Verb: "get", Resource: "pods"},
			authorizationv1.ResourceAttributes{Namespace: ns, Verb: "create", Resource: "pods"})
	}
	begun := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		for _, p := range probes {
			if ok, err := r.allowed(ctx, owner, p); ok || err != nil {
				return err
			}
		}
		if time.Since(begun) > patience {
			r.Log.Warn("The owner's access was not seen in time", "namespace", ns, "owner", owner.GetName(), "role", role)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// allowed asks kube-apiserver whether a user may do something.
func (r *Registry) allowed(ctx context.Context, u user.Info, what authorizationv1.ResourceAttributes) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range u.GetExtra() {
		extra[k] = v
	}
	review, err := r.Client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: u.GetName(), Groups: u.GetGroups(), UID: u.GetUID(), Extra: extra, ResourceAttributes: &what,
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("review the access of %q: %w", u.GetName(), err)
	}
	return review.Status.Allowed, nil
}

// mark records on the Namespace that it is complete. Every watcher and every
// replica learns it from that, and a process that starts anew, too.
func (r *Registry) mark(ctx context.Context, ns *corev1.Namespace) (*corev1.Namespace, error) {
	for {
		ns = ns.DeepCopy()
		ns.Annotations[v1alpha1.AnnotationReady] = "true"
		out, err := r.Client.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			uid := ns.UID
			if ns, err = r.Client.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{}); err == nil && ns.UID != uid {
				return nil, apierrors.NewConflict(groupResource, ns.Name, errUID)
			}
			if err == nil && ns.Annotations[v1alpha1.AnnotationRefused] != "" { // by whoever made it
				return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("mark as ready: %w", err)
		}
		if out.DeletionTimestamp != nil { // kube-apiserver accepts the write all the same
			return nil, apierrors.NewConflict(groupResource, out.Name, errDeleting)
		}
		return out, nil
	}
}
