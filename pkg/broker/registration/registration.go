// SPDX-License-Identifier: Apache-2.0

// Package registration tells kube-apiserver about the broker, by an APIService.
//
// A registered API whose server does not answer blocks the deletion of every
// namespace in the cluster. So the APIService is there only while a broker
// serves: it is put when the server answers, put back when it is lost, and
// removed by the last replica that goes; a guard, a process of its own, removes it
// when all have gone without that. It belongs to ClusterRole
// tenama:broker, so that uninstalling collects it.
package registration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// Name of the APIService.
var Name = v1alpha1.GroupVersion.Version + "." + v1alpha1.GroupVersion.Group

// OwnerRole is the ClusterRole that the APIService belongs to.
const OwnerRole = "tenama:broker"

// Registration keeps the APIService. All fields but Pod are required.
type Registration struct {
	Client      kubernetes.Interface
	APIServices apiregistrationclient.APIServiceInterface
	Namespace   string // of the Service
	Service     string
	Port        int32
	Pod         string        // this replica, as EndpointSlices name it
	CABundle    func() []byte // as PEM
	// Refresh reads the bundle anew. It is called before a bundle that another
	// replica published is replaced: that replica may know better.
	Refresh   func(context.Context) error
	CAChanged <-chan struct{}
	Log       *slog.Logger
}

// Run keeps the APIService until ctx is done. Call it only while the server
// answers.
func (r *Registration) Run(ctx context.Context) {
	changes, latest := follow(ctx, r.APIServices)
	r.awaitEndpoint(ctx)
	retry := time.NewTimer(0)
	defer retry.Stop()
	var last, told time.Time
	var away patience
	for {
		select {
		case <-ctx.Done():
			return
		case <-retry.C:
		case <-changes:
		case <-r.CAChanged:
		}
		// A replica that disagrees for a while must not make it a fight: one write a second.
		if wait := max(time.Until(last.Add(time.Second)), away.wait(latest(), time.Now())); wait > 0 {
			retry.Reset(wait)
			continue
		}
		last = time.Now()
		err := r.put(ctx)
		var other *otherInstallation
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.As(err, &other): // only somebody can end that, and its event wakes us
			if time.Since(told) > time.Minute {
				told = time.Now()
				r.Log.Error("Not registered: a cluster can have one installation", "err", err)
			}
			retry.Reset(10 * time.Second)
		default:
			r.Log.Error("Registration failed; trying again", "err", err)
			retry.Reset(time.Second)
		}
	}
}

// otherInstallation serves the API already. The API has one group, so a cluster
// has room for one.
type otherInstallation struct {
	service *apiregistrationv1.ServiceReference
}

func (o *otherInstallation) Error() string {
	if o.service == nil {
		return fmt.Sprintf("APIService %q belongs to another installation, without a Service: remove one of the two", Name)
	}
	return fmt.Sprintf("APIService %q belongs to another installation, with Service %q in namespace %q: remove one of the two", Name, o.service.Name, o.service.Namespace)
}

// awaitEndpoint returns once the Service leads to this replica, so that the API
// is reachable from the moment that it is registered.
func (r *Registration) awaitEndpoint(ctx context.Context) {
	for r.Pod != "" && ctx.Err() == nil {
		self, _, err := r.endpoints(ctx)
		if self {
			return
		}
		if err != nil {
			r.Log.Warn("Reading the endpoints of the Service failed; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// put makes the APIService what it has to be.
func (r *Registration) put(ctx context.Context) error {
	role, err := r.Client.RbacV1().ClusterRoles().Get(ctx, OwnerRole, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read ClusterRole %q: %w", OwnerRole, err)
	}
	owner := metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: OwnerRole, UID: role.UID}
	want := apiregistrationv1.APIServiceSpec{
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		GroupPriorityMinimum: 1000, VersionPriority: 15,
		Service:  &apiregistrationv1.ServiceReference{Namespace: r.Namespace, Name: r.Service, Port: &r.Port},
		CABundle: r.CABundle(),
	}
	now, err := r.APIServices.Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = r.APIServices.Create(ctx, &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: map[string]string{"app.kubernetes.io/name": "tenama", "app.kubernetes.io/managed-by": "tenama"}, OwnerReferences: []metav1.OwnerReference{owner}},
			Spec:       want,
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return errors.New("another replica was faster")
		}
		if err != nil {
			return fmt.Errorf("create APIService %q: %w", Name, err)
		}
		r.Log.Info("Registered", "apiservice", Name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read APIService %q: %w", Name, err)
	}
	if s := now.Spec.Service; s == nil || s.Namespace != r.Namespace || s.Name != r.Service {
		return &otherInstallation{s}
	}
	if !bytes.Equal(now.Spec.CABundle, want.CABundle) {
		if err := r.Refresh(ctx); err != nil {
			return err
		}
		want.CABundle = r.CABundle()
	}
	owned := len(now.OwnerReferences) == 1 && now.OwnerReferences[0].UID == owner.UID
	if owned && bytes.Equal(now.Spec.CABundle, want.CABundle) && now.Spec.Service.Port != nil && *now.Spec.Service.Port == r.Port && !now.Spec.InsecureSkipTLSVerify {
		return nil
	}
	now = now.DeepCopy()
	now.OwnerReferences, now.Spec = []metav1.OwnerReference{owner}, want
	if _, err := r.APIServices.Update(ctx, now, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("update APIService %q: %w", Name, err)
	}
	r.Log.Info("Registered", "apiservice", Name)
	return nil
}

// Withdraw removes the APIService, unless another replica is ready to serve.
// Stop Run before, or it puts it back.
func (r *Registration) Withdraw(ctx context.Context) error {
	now, err := r.APIServices.Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read APIService %q: %w", Name, err)
	}
	if s := now.Spec.Service; s == nil || s.Namespace != r.Namespace || s.Name != r.Service {
		return nil
	}
	_, others, err := r.endpoints(ctx)
	if err != nil {
		r.Log.Warn("Reading the other replicas failed; withdrawing as if there were none: another puts it back", "err", err)
	}
	if others > 0 {
		return nil
	}
	err = r.APIServices.Delete(ctx, Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &now.UID}})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete APIService %q: %w", Name, err)
	}
	r.Log.Info("Withdrawn", "apiservice", Name)
	return nil
}

// endpoints tells whether this replica is ready, as the Service sees it, and how
// many others are ready and not about to go.
func (r *Registration) endpoints(ctx context.Context) (self bool, others int, err error) {
	slices, err := r.Client.DiscoveryV1().EndpointSlices(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + r.Service})
	if err != nil {
		return false, 0, fmt.Errorf("list EndpointSlices of Service %q: %w", r.Service, err)
	}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			going := e.Conditions.Terminating != nil && *e.Conditions.Terminating
			switch {
			case !ready || going:
			case e.TargetRef != nil && e.TargetRef.Kind == "Pod" && e.TargetRef.Name == r.Pod:
				self = true
			default:
				others++
			}
		}
	}
	return self, others, nil
}
