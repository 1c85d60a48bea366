// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/events"
	"tenama.dev/tenama/pkg/broker/guardrails"
	"tenama.dev/tenama/pkg/broker/nscache"
)

// CreateTimeout bounds the making of one namespace. The request handlers give up
// after 30 s, and kube-apiserver after 60 s.
const CreateTimeout = 25 * time.Second

var (
	groupResource = v1alpha1.Resource.GroupResource()

	// ErrDeleting is the cause of a Conflict.
	ErrDeleting = errors.New("it is being deleted")
	// ErrUID is the cause of a Conflict.
	ErrUID = errors.New("the UID does not match: the namespace was recreated")
)

// Classes finds a class by name.
type Classes interface {
	// Class returns a class with its revision in the status; the empty name is the
	// default class. An error about the class itself is a *field.Error of
	// spec.className.
	Class(ctx context.Context, name string) (*policyv1alpha1.NamespaceClass, error)
	// Refuse returns the error for a request with which kube-apiserver did not accept an
	// object of a class in namespace ns.
	Refuse(ctx context.Context, class *policyv1alpha1.NamespaceClass, ns string, err error) *field.Error
}

// Admission decides whether a namespace fits into the budgets.
type Admission interface {
	// ReserveIncrease reserves the amounts of ns beyond those that it reserves now.
	ReserveIncrease(ns *corev1.Namespace) (release func(), err error)
	// Admitted reports, as an error, that ns does not fit. The cache must have shown
	// ns before.
	Admitted(ns *corev1.Namespace) error
}

// Manager provisions, repairs and deletes namespaces. All exported fields are required.
type Manager struct {
	Client     kubernetes.Interface
	GuardRails *guardrails.Client
	Cache      *nscache.Cache
	Classes    Classes
	Admission  Admission
	Events     *events.Recorder
	Log        *slog.Logger
	Self       rbacv1.Subject // the ServiceAccount that the broker runs as
	// Now is kube-apiserver's clock. It decides when a namespace expires.
	Now func() time.Time
	// RevokeAfter is how long the deletion of a namespace may take before all access to
	// it is revoked.
	RevokeAfter time.Duration
	// Grace is how long the owners of what was not deleted in time can still extend it.
	Grace time.Duration
	// MaxOverdue is how many of these are deleted without the confirmation of an
	// administrator; zero is any number.
	MaxOverdue int
	// Contained is nil while the policies are known to contain the broker.
	Contained func() error
	// Drifted is called for each guard rail that differed from its record, with its
	// kind; Missing or Changed; and Restored, Refused or Released.
	Drifted func(kind, was, became string)

	// Expired is called after the deletion of a namespace that has expired, with the time
	// since its expiry.
	Expired func(lag time.Duration)

	active     atomic.Int64 // creations in progress
	mismatches sync.Map     // of reserved amounts, by name
	told       lastInstructions
	backlog    backlog
	local      func() time.Time // set by tests; time.Now if nil
}

// Start returns a context for the creation of one namespace, and a function that ends
// it. The creation continues if its caller disconnects; Drain waits for it.
func (m *Manager) Start(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CreateTimeout)
	m.active.Add(1)
	return ctx, func() { m.active.Add(-1); cancel() }
}

// Drain waits until no creation is in progress, or ctx is done.
func (m *Manager) Drain(ctx context.Context) {
	for m.active.Load() > 0 && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
}

// Allowed asks kube-apiserver whether a user has a permission.
func (m *Manager) Allowed(ctx context.Context, u user.Info, what authorizationv1.ResourceAttributes) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range u.GetExtra() {
		extra[k] = v
	}
	review, err := m.Client.AuthorizationV1().SubjectAccessReviews().Create(ctx,
		&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: u.GetName(), Groups: u.GetGroups(), UID: u.GetUID(), Extra: extra, ResourceAttributes: &what,
		}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("review the access of %q: %w", u.GetName(), err)
	}
	return review.Status.Allowed, nil
}
