// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// Names of what the broker makes in each namespace, beside the class's objects.
const (
	managerRole   = "tenama:namespace-manager" // deploy/base/rbac.yaml
	managerBroker = "tenama:broker"            // binds managerRole to the broker
	ownerBinding  = "tenama:owner"             // binds the class's role to the owner

	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "tenama"
)

// patience is how long a freshly granted right may take to reach the RBAC
// cache of kube-apiserver; until then it answers Forbidden.
const patience = 3 * time.Second

// finish brings a namespace to its usable end, from wherever an earlier try
// left it: each step makes what is missing and takes what is there. The order
// is what makes it safe; see the package comment. After an error it returns the
// namespace if it was marked as ready already.
func (r *Registry) finish(ctx context.Context, ns *corev1.Namespace, class *policyv1alpha1.NamespaceClass, owner user.Info) (*corev1.Namespace, error) {
	objs, err := class.Spec.GuardRails()
	if err != nil {
		return nil, fmt.Errorf("decode class %q: %w", class.Name, err)
	}
	// The broker has no rights inside the namespace until it binds itself.
	if err := r.bind(ctx, ns.Name, managerBroker, managerRole, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: r.Self.Namespace, Name: r.Self.Name}); err != nil {
		return nil, fmt.Errorf("bind the broker: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	// The default account is one of them: pods run as it, whoever makes it first.
	objs = append(objs, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	for _, obj := range objs {
		g.Go(func() error { return r.guard(gctx, ns.Name, obj) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if binds(owner.GetName()) {
		if err := r.bind(ctx, ns.Name, ownerBinding, class.Spec.OwnerRole, subjectOf(owner.GetName())); err != nil {
			return nil, fmt.Errorf("bind the owner: %w", err)
		}
	}
	g, gctx = errgroup.WithContext(ctx)
	var ready *corev1.Namespace
	if binds(owner.GetName()) {
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

func (r *Registry) bind(ctx context.Context, ns, name, role string, subject rbacv1.Subject) error {
	_, err := r.Client.RbacV1().RoleBindings(ns).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, Labels: ownLabels},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func subjectOf(owner string) rbacv1.Subject {
	if ns, name, err := serviceaccount.SplitUsername(owner); err == nil {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: name}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: owner}
}

// guard makes one of the class's objects, and waits out the moment in which
// the broker's own binding has not reached kube-apiserver's RBAC cache.
func (r *Registry) guard(ctx context.Context, ns string, obj runtime.Object) error {
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	m.SetNamespace(ns)
	if m.GetName() != "default" { // that one is as much the controller's
		labels := maps.Clone(m.GetLabels())
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, ownLabels)
		m.SetLabels(labels)
	}
	begun := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err = r.createGuard(ctx, ns, obj)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		if !apierrors.IsForbidden(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || time.Since(begun) > patience {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	if err != nil {
		return fmt.Errorf("create %T %q: %w", obj, m.GetName(), err)
	}
	return nil
}

func (r *Registry) createGuard(ctx context.Context, ns string, obj runtime.Object) (err error) {
	switch o := obj.(type) {
	case *corev1.ResourceQuota:
		return r.quota(ctx, o)
	case *corev1.LimitRange:
		_, err = r.Client.CoreV1().LimitRanges(ns).Create(ctx, o, metav1.CreateOptions{})
	case *networkingv1.NetworkPolicy:
		_, err = r.Client.NetworkingV1().NetworkPolicies(ns).Create(ctx, o, metav1.CreateOptions{})
	case *corev1.ServiceAccount:
		_, err = r.Client.CoreV1().ServiceAccounts(ns).Create(ctx, o, metav1.CreateOptions{})
	default:
		err = fmt.Errorf("no guard rail: %T", obj)
	}
	return err
}

// quota makes a quota and puts it in force. A new ResourceQuota does nothing
// until its status is filled, and the controller does that some milliseconds
// later: the first object over the limit would get in. In an empty namespace
// the status is known; if the controller was first, so much the better.
func (r *Registry) quota(ctx context.Context, want *corev1.ResourceQuota) error {
	quotas := r.Client.CoreV1().ResourceQuotas(want.Namespace)
	q, err := quotas.Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		q, err = quotas.Get(ctx, want.Name, metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) > 0 {
			return nil
		}
	}
	if err != nil {
		return err
	}
	q.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: corev1.ResourceList{}}
	for k := range q.Spec.Hard {
		q.Status.Used[k] = resource.Quantity{Format: resource.DecimalSI}
	}
	_, err = quotas.UpdateStatus(ctx, q, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) { // most likely the controller was first
		if q, err = quotas.Get(ctx, want.Name, metav1.GetOptions{}); err == nil && len(q.Status.Hard) == 0 {
			return r.quota(ctx, want)
		}
	}
	if err != nil {
		return fmt.Errorf("put in force: %w", err)
	}
	return nil
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
