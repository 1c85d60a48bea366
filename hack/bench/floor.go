// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// floor creates the same objects as the broker, with plain client-go and an
// administrator's rights: the minimum that any implementation has to do.
type floor struct {
	client kubernetes.Interface
	class  *policyv1alpha1.NamespaceClass
	// domain of its labels. With tenama.dev kube-apiserver evaluates tenama's policies for each
	// of its writes, and the broker watches its namespaces.
	domain string

	mu   sync.Mutex // guards wait
	wait map[string]chan struct{}
}

func newFloor(ctx context.Context, client kubernetes.Interface, class *policyv1alpha1.NamespaceClass,
	domain string) *floor {
	f := &floor{client: client, class: class, domain: domain, wait: map[string]chan struct{}{}}
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Namespaces().Informer()
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(o any) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if ch := f.wait[o.(*corev1.Namespace).Name]; ch != nil {
			close(ch)
			delete(f.wait, o.(*corev1.Namespace).Name)
		}
	}})
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return f
}

func (f *floor) namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			"app.kubernetes.io/managed-by": "bench", "pod-security.kubernetes.io/enforce": "baseline",
			f.domain + "/managed": "true", f.domain + "/owner-hash": v1alpha1.OwnerHash("bench"), f.domain + "/class": "default",
		},
		Annotations: map[string]string{
			f.domain + "/owner": "bench", f.domain + "/ttl-seconds": "7200", f.domain + "/max-ttl-seconds": "604800",
			f.domain + "/ready":          "true",
			f.domain + "/class-revision": f.class.Spec.Revision(),
			f.domain + "/request-id":     "00000000-0000-0000-0000-000000000000", f.domain + "/creator": "bench",
		},
	}}
}

// usable creates the same objects in the same order and with the same guarantees as the
// broker: the quota is in force before the owner has access, the access is verified,
// and the default ServiceAccount exists.
func (f *floor) usable(ctx context.Context, name string) error {
	seen := make(chan struct{})
	f.mu.Lock()
	f.wait[name] = seen
	f.mu.Unlock()
	if _, err := f.client.CoreV1().Namespaces().Create(ctx, f.namespace(name), metav1.CreateOptions{}); err != nil {
		return err
	}
	<-seen
	time.Sleep(time.Millisecond)
	if err := f.bind(ctx, name, "broker", "tenama:namespace-manager", "system:bench"); err != nil {
		return err
	}
	if err := parallel(
		func() error { return f.guards(ctx, name, true) },
		func() error { return f.account(ctx, name) },
	); err != nil {
		return err
	}
	if err := f.bind(ctx, name, "owner", f.class.Spec.OwnerRole, "bench"); err != nil {
		return err
	}
	for pause := time.Millisecond; ; pause *= 2 {
		r, err := f.client.AuthorizationV1().SubjectAccessReviews().
			Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "bench", ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: name, Verb: "create", Resource: "configmaps",
				},
			}}, metav1.CreateOptions{})
		if err != nil || r.Status.Allowed {
			return err
		}
		time.Sleep(pause)
	}
}

// naive creates the namespace, then everything else at once, and waits for nothing.
func (f *floor) naive(ctx context.Context, name string) error {
	if _, err := f.client.CoreV1().Namespaces().Create(ctx, f.namespace(name), metav1.CreateOptions{}); err != nil {
		return err
	}
	return parallel(
		func() error { return f.bind(ctx, name, "broker", "tenama:namespace-manager", "system:bench") },
		func() error { return f.guards(ctx, name, false) },
		func() error { return f.bind(ctx, name, "owner", f.class.Spec.OwnerRole, "bench") },
		func() error { return f.account(ctx, name) })
}

// bind creates a RoleBinding. It repeats a Conflict, which says that kube-apiserver could not
// count the binding in the quota, as account does.
func (f *floor) bind(ctx context.Context, ns, name, role, user string) error {
	for {
		_, err := f.client.RbacV1().RoleBindings(ns).Create(ctx, binding(f.domain, name, role, user), metav1.CreateOptions{})
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			return err
		}
	}
}

func binding(domain, name, role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{domain + "/managed": "true"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
}

func (f *floor) guards(ctx context.Context, ns string, inForce bool) error {
	objs, err := f.class.Spec.GuardRails(policyv1alpha1.Given(ns, "bench", nil), nil)
	if err != nil {
		return err
	}
	var each []func() error
	for _, obj := range objs {
		each = append(each, func() error { return f.guard(ctx, ns, obj, inForce) })
	}
	return parallel(each...)
}

func (f *floor) guard(ctx context.Context, ns string, obj runtime.Object, inForce bool) error {
	switch o := obj.(type) {
	case *corev1.ResourceQuota:
		q, err := f.client.CoreV1().ResourceQuotas(ns).Create(ctx, o, metav1.CreateOptions{})
		if err != nil || !inForce {
			return err
		}
		q.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: corev1.ResourceList{}}
		for k := range q.Spec.Hard {
			q.Status.Used[k] = resource.MustParse("0")
		}
		if _, err = f.client.CoreV1().ResourceQuotas(ns).
			UpdateStatus(ctx, q, metav1.UpdateOptions{}); apierrors.IsConflict(err) {
			return nil
		}
		return err
	case *corev1.LimitRange:
		_, err := f.client.CoreV1().LimitRanges(ns).Create(ctx, o, metav1.CreateOptions{})
		return err
	case *networkingv1.NetworkPolicy:
		_, err := f.client.NetworkingV1().NetworkPolicies(ns).Create(ctx, o, metav1.CreateOptions{})
		return err
	}
	return fmt.Errorf("unexpected %T", obj)
}

func (f *floor) account(ctx context.Context, ns string) error {
	for {
		_, err := f.client.CoreV1().ServiceAccounts(ns).
			Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
		switch {
		case apierrors.IsAlreadyExists(err):
			return nil
		case !apierrors.IsConflict(err) || ctx.Err() != nil:
			return err
		}
	}
}

func parallel(each ...func() error) error {
	errs := make(chan error, len(each))
	for _, f := range each {
		go func() { errs <- f() }()
	}
	var first error
	for range each {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}
