// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kube "k8s.io/client-go/kubernetes/fake"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/fake"
)

func replica(all *aggregator.Clientset, bundle []byte) *Registration {
	return &Registration{
		Client:      kube.NewClientset(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: OwnerRole, UID: "1"}}),
		APIServices: all.ApiregistrationV1().APIServices(), Namespace: "home", Service: "broker", Port: 443,
		CABundle: func() []byte { return bundle }, Refresh: func(context.Context) error { return errors.New("unreadable") },
		Valid: func() error { return nil }, Published: func([]byte) {}, Now: time.Now,
		Log: slog.New(slog.DiscardHandler),
	}
}

func published(t *testing.T, r *Registration) []byte {
	t.Helper()
	s, err := r.APIServices.Get(t.Context(), Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Spec.CABundle
}

// Replicas with different authorities publish both, also if they cannot read the Secret any
// more. A replica must not look again and again for what another one has removed already.
func TestEnsure(t *testing.T) {
	all := aggregator.NewClientset()
	a, b := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(time.Hour))
	first, second := replica(all, a), replica(all, b)
	for _, r := range []*Registration{first, second, first} {
		if err := r.ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := published(t, first); !bytes.Equal(got, join(b, a)) {
		t.Errorf("published:\n%s", got)
	}
	if second.others.next().IsZero() {
		t.Error("what the other replica published is kept for ever")
	}
	s, err := second.APIServices.Get(t.Context(), Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Spec.CABundle = b // as the other replica does after its hour
	if _, err := second.APIServices.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := second.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := second.others.next(); !at.IsZero() {
		t.Errorf("it looks again at %s, although nothing is left to remove", at)
	}
}

// A broker with a certificate that kube-apiserver rejects must not register its API, and
// announces nothing where none is registered.
func TestEnsureInvalid(t *testing.T) {
	all := aggregator.NewClientset()
	r := replica(all, certificate(t, time.Now().Add(time.Hour)))
	r.Valid = func() error { return errors.New("expired") }
	if err := r.ensure(t.Context()); err == nil {
		t.Error("no error")
	}
	if changed, err := r.Announce(t.Context()); changed || err != nil {
		t.Errorf("announced: %t, %v", changed, err)
	}
	if list, err := r.APIServices.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("registered: %v, %v", list, err)
	}
}

// Before a replica is ready, its authority is published beside the others; that of another
// installation stays as it is.
func TestAnnounce(t *testing.T) {
	all := aggregator.NewClientset()
	a, b := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(time.Hour))
	first, second := replica(all, a), replica(all, b)
	if err := first.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if changed, err := second.Announce(t.Context()); !changed || err != nil {
		t.Errorf("announced: %t, %v", changed, err)
	}
	if got := published(t, first); !bytes.Equal(got, join(b, a)) {
		t.Errorf("published:\n%s", got)
	}
	if changed, err := second.Announce(t.Context()); changed || err != nil {
		t.Errorf("announced again: %t, %v", changed, err)
	}
	s, err := first.APIServices.Get(t.Context(), Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Spec.Service, s.Spec.CABundle = &apiregistrationv1.ServiceReference{Namespace: "other", Name: "broker"}, a
	if _, err := first.APIServices.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if changed, err := second.Announce(t.Context()); changed || err != nil {
		t.Errorf("announced to another installation: %t, %v", changed, err)
	}
}
