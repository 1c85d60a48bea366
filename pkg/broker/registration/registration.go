// SPDX-License-Identifier: Apache-2.0

// Package registration registers the broker with kube-apiserver, as an APIService.
//
// A registered API whose server does not answer blocks the deletion of every
// namespace in the cluster. So the APIService exists only while a broker serves: a
// replica creates it when its server answers and recreates it when it is lost, and
// the last replica that stops deletes it. A guard, a separate process, deletes it if
// all replicas died before they could. ClusterRole tenama:broker owns it, so that
// uninstalling garbage-collects it.
package registration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// Name is the name of the APIService.
var Name = v1alpha1.GroupVersion.Version + "." + v1alpha1.GroupVersion.Group

// OwnerRole is the name of the ClusterRole that owns the APIService.
const OwnerRole = "tenama:broker"

// Registration maintains the APIService. All fields are required.
type Registration struct {
	Client      kubernetes.Interface
	APIServices apiregistrationclient.APIServiceInterface
	Namespace   string // of the Service
	Service     string
	Port        int32
	Pod         string        // name of this replica's pod in EndpointSlices
	CABundle    func() []byte // PEM
	// Refresh reads the bundle again. Run calls it when another replica has published
	// another one, which may be newer.
	Refresh   func(context.Context) error
	CAChanged <-chan struct{}
	Valid     func() error     // returns nil while kube-apiserver accepts the serving certificate
	Published func([]byte)     // is told the bundle that kube-apiserver has
	Now       func() time.Time // the time of kube-apiserver
	Log       *slog.Logger

	available   atomic.Bool
	others      others
	unrefreshed time.Time // when a failure of Refresh was logged
}

// Available reports whether kube-apiserver last said that it reaches this installation.
func (r *Registration) Available() bool { return r.available.Load() }

// Run maintains the APIService until ctx is done. Call it only while the server
// answers.
func (r *Registration) Run(ctx context.Context) {
	changes, latest := watchAPIService(ctx, r.APIServices)
	r.awaitEndpoint(ctx)
	again := time.NewTimer(0)
	defer again.Stop()
	var last, logged time.Time
	var unreachable backoff
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-changes:
		case <-r.CAChanged:
		}
		now := latest()
		own := now != nil && isOwn(now, r.Namespace, r.Service)
		r.available.Store(own && isAvailable(now))
		if own {
			r.Published(now.Spec.CABundle)
		}
		// Replicas that disagree for a while must not fight: one write a second.
		if wait := max(time.Until(last.Add(time.Second)), unreachable.delay(now, time.Now())); wait > 0 {
			again.Reset(wait)
			continue
		}
		last = time.Now()
		if err := r.Valid(); err != nil && now == nil {
			if time.Since(logged) > time.Minute {
				logged = last
				r.Log.Error("Not registered: kube-apiserver would reject the serving certificate", "err", err)
			}
			again.Reset(10 * time.Second)
			continue
		}
		err := r.ensure(ctx)
		var other *otherInstallation
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if drop := r.others.next(); !drop.IsZero() {
				again.Reset(max(time.Until(drop), time.Second))
			}
		case errors.As(err, &other): // only an administrator can resolve that; the watch event wakes Run
			if time.Since(logged) > time.Minute {
				logged = time.Now()
				r.Log.Error("Not registered: another installation owns the APIService", "err", err)
			}
			again.Reset(10 * time.Second)
		default:
			r.Log.Error("Registration failed; retrying", "err", err)
			again.Reset(time.Second)
		}
	}
}

// otherInstallation reports that another installation serves the API. The API has one
// group, so a cluster can have only one installation.
type otherInstallation struct {
	service *apiregistrationv1.ServiceReference
}

func (o *otherInstallation) Error() string {
	if o.service == nil {
		return fmt.Sprintf("APIService %q belongs to another installation, without a Service: remove one of the two", Name)
	}
	return fmt.Sprintf(
		"APIService %q belongs to another installation, with Service %q in namespace %q: remove one of the two", Name,
		o.service.Name, o.service.Namespace)
}

// ensure creates or updates the APIService.
func (r *Registration) ensure(ctx context.Context) error {
	role, err := r.Client.RbacV1().ClusterRoles().Get(ctx, OwnerRole, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read ClusterRole %q: %w", OwnerRole, err)
	}
	owner := metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: OwnerRole,
		UID: role.UID}
	want := apiregistrationv1.APIServiceSpec{
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		GroupPriorityMinimum: 1000, VersionPriority: 15,
		Service:  &apiregistrationv1.ServiceReference{Namespace: r.Namespace, Name: r.Service, Port: &r.Port},
		CABundle: r.CABundle(),
	}
	now, err := r.APIServices.Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if err := r.Valid(); err != nil { // registered, it would block the deletion of every namespace
			return err
		}
		_, err = r.APIServices.Create(ctx, &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: map[string]string{"app.kubernetes.io/name": "tenama",
				"app.kubernetes.io/managed-by": "tenama"}, OwnerReferences: []metav1.OwnerReference{owner}},
			Spec: want,
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return errors.New("another replica created the APIService at the same time")
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
		r.refresh(ctx)
	}
	want.CABundle = r.others.merge(now.Spec.CABundle, r.CABundle(), time.Now(), r.Now())
	owned := len(now.OwnerReferences) == 1 && now.OwnerReferences[0].UID == owner.UID
	if owned && bytes.Equal(now.Spec.CABundle, want.CABundle) && now.Spec.Service.Port != nil &&
		*now.Spec.Service.Port == r.Port && !now.Spec.InsecureSkipTLSVerify {
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

// refresh calls Refresh. If that fails, the bundle in memory still verifies this replica.
func (r *Registration) refresh(ctx context.Context) {
	if err := r.Refresh(ctx); err != nil && time.Since(r.unrefreshed) > time.Minute {
		r.unrefreshed = time.Now()
		r.Log.Warn("Another authority is published, and this replica cannot read it", "err", err)
	}
}

// Withdraw deletes the APIService, unless another replica is ready to serve. Stop Run
// first, or it recreates the APIService.
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
		r.Log.Warn("Listing the other replicas failed; deleting the APIService, which another replica creates again",
			"err", err)
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
