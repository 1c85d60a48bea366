// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
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
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/user"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

const (
	// settle is the pause after the watch event of a namespace. The admission of
	// kube-apiserver learns of the namespace by a watch of its own, and a request that
	// comes before that event sleeps for 50 ms there (missingNamespaceWait).
	settle = time.Millisecond
	// accessLag is how long Provision waits for the access of an owner whose role an
	// administrator defined: it may contain none of the reviewed rights.
	accessLag = 3 * time.Second
)

// Request is a namespace to provision.
type Request struct {
	Namespace *corev1.Namespace // as it was created
	Adopted   bool              // by an earlier try of the same request
	Class     *policyv1alpha1.NamespaceClass
	Manifests *Manifests
	Owner     user.Info
}

// Provision completes a namespace that was just created, or rejects and deletes it if
// it does not fit into the budgets. It returns the namespace when its owner can use it.
// Errors: Forbidden (a budget is full), Conflict (it is being deleted), Invalid (the
// class cannot be used: kube-apiserver does not accept one of its objects), ServerTimeout,
// *guardrails.OccupiedError, and those of kube-apiserver.
func (m *Manager) Provision(ctx context.Context, req Request) (*corev1.Namespace, error) {
	ns := req.Namespace
	begun := time.Now()
	if err := m.Cache.Wait(ctx, ns); err != nil { // a repeated request, or Reconcile, goes on from here
		return nil, m.cause(ctx, err, ns)
	}
	if lag := time.Since(begun); lag > time.Second {
		m.Log.Warn("The watch of namespaces lags; until it catches up, namespaces may be created and then rejected",
			"lagMilliseconds", lag.Milliseconds())
	}
	if err := m.Admission.Admitted(ns); err != nil {
		if req.Adopted { // the request that created it is about to delete it
			return nil, apierrors.NewServerTimeout(groupResource, "create", 1)
		}
		return m.reject(ctx, ns, err) // it is being deleted because it was rejected: the reason is the answer
	}
	time.Sleep(settle)
	ready, err := m.complete(ctx, req)
	if err == nil {
		return ready, nil
	}
	if ready != nil {
		ns = ready
	}
	if m.deleting(ctx, ns) {
		return nil, apierrors.NewConflict(groupResource, ns.Name, ErrDeleting)
	}
	var invalid *guardrails.InvalidError
	if errors.As(err, &invalid) { // what only a creation shows; asked while the namespace exists
		refusal := m.Classes.Refuse(ctx, req.Class, ns.Name, invalid)
		m.rollBack(ctx, ns, err)
		return nil, apierrors.NewInvalid(v1alpha1.Kind.GroupKind(), ns.Name, field.ErrorList{refusal})
	}
	m.rollBack(ctx, ns, err)
	return nil, err
}

// complete creates the missing objects of a namespace, in the order that the package
// comment states. After an error it returns the namespace if it is marked as ready.
func (m *Manager) complete(ctx context.Context, req Request) (*corev1.Namespace, error) {
	ns, role := req.Namespace, req.Class.Spec.OwnerRole
	// The broker has no rights inside the namespace until it binds itself.
	if _, err := m.bindSelf(ctx, ns.Name, req.Manifests.Raw); err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	objs := append(slices.Clip(req.Manifests.Objects),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: guardrails.DefaultAccount}})
	for _, obj := range objs {
		g.Go(func() error { return m.GuardRails.Create(gctx, ns.Name, obj) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if !bindsOwner(ns) {
		return m.markReady(ctx, ns)
	}
	if _, err := m.bind(ctx, ns.Name, v1alpha1.RoleBindingOwner, role, subjectOf(ns), nil); err != nil {
		return nil, fmt.Errorf("bind the owner to %q: %w", role, err)
	}
	owner := req.Owner
	if ns.Annotations[v1alpha1.AnnotationOwnerGroup] != "" { // the creator need not be a member of the group
		owner = ownerInfo(ns)
	}
	g, gctx = errgroup.WithContext(ctx)
	var ready *corev1.Namespace
	g.Go(func() error { return m.awaitAccess(gctx, ns.Name, role, owner) })
	g.Go(func() (err error) { ready, err = m.markReady(gctx, ns); return err })
	err := g.Wait()
	return ready, err
}

// bindSelf gives the broker its role in the namespace, and reports whether it created
// the binding. The binding carries the objects of the class, so that the guard rails
// of the namespace stay known when the class changes. Tenants can neither change nor
// remove it.
func (m *Manager) bindSelf(ctx context.Context, ns string, objects []runtime.RawExtension) (made bool, _ error) {
	record, err := json.Marshal(objects)
	if err != nil {
		return false, fmt.Errorf("encode the guard rails of %q: %w", ns, err)
	}
	made, err = m.bind(ctx, ns, v1alpha1.RoleBindingBroker, v1alpha1.ClusterRoleManager, m.Self,
		map[string]string{v1alpha1.AnnotationGuardRails: string(record)})
	if err != nil {
		return false, fmt.Errorf("bind the broker: %w", err)
	}
	return made, nil
}

func (m *Manager) bind(ctx context.Context, ns, name, role string, subject rbacv1.Subject,
	annotations map[string]string) (made bool, _ error) {
	err := guardrails.RetryConflict(ctx, func() error {
		_, err := m.Client.RbacV1().RoleBindings(ns).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, Labels: guardrails.OwnLabels(), Annotations: annotations},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{subject},
		}, metav1.CreateOptions{})
		return err
	})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// awaitAccess waits until kube-apiserver grants the owner one of the rights that a
// role usually contains. A role of the administrator's own may contain none of them:
// then it gives up after accessLag, without an error.
func (m *Manager) awaitAccess(ctx context.Context, ns, role string, owner user.Info) error {
	rights := []authorizationv1.ResourceAttributes{{Namespace: ns, Verb: "create", Resource: "configmaps"}}
	builtIn := role == "admin" || role == "edit"
	if !builtIn {
		rights = append(rights, authorizationv1.ResourceAttributes{Namespace: ns, Verb: "get", Resource: "pods"},
			authorizationv1.ResourceAttributes{Namespace: ns, Verb: "create", Resource: "pods"})
	}
	begun := time.Now()
	backoff := wait.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 10, Cap: 50 * time.Millisecond}
	return backoff.DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		for _, right := range rights {
			if ok, err := m.Allowed(ctx, owner, right); ok || err != nil {
				return ok, err
			}
		}
		if !builtIn && time.Since(begun) > accessLag {
			m.Log.Warn("The access of the owner was not observed in time", "namespace", ns, "owner", owner.GetName(),
				"role", role)
			return true, nil
		}
		return false, nil
	})
}

// markReady records on the Namespace that it is complete, and waits until the cache
// shows that, so that a list that follows shows it as the answer does.
func (m *Manager) markReady(ctx context.Context, ns *corev1.Namespace) (*corev1.Namespace, error) {
	ready, err := m.mutate(ctx, ns, func(ns *corev1.Namespace) error {
		if ns.Annotations[v1alpha1.AnnotationRefused] != "" { // by the replica that created it
			return apierrors.NewServerTimeout(groupResource, "create", 1)
		}
		ns.Annotations[v1alpha1.AnnotationReady] = "true"
		return nil
	})
	if errors.Is(err, ErrUID) {
		return nil, apierrors.NewConflict(groupResource, ns.Name, ErrUID)
	}
	if err != nil {
		return nil, fmt.Errorf("mark as ready: %w", err)
	}
	if ready.DeletionTimestamp != nil { // kube-apiserver accepts the write all the same
		return nil, apierrors.NewConflict(groupResource, ns.Name, ErrDeleting)
	}
	return ready, m.Cache.Wait(ctx, ready)
}
