// SPDX-License-Identifier: Apache-2.0

package classes

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// tryTimeout bounds the dry run of the objects of one class.
const tryTimeout = 5 * time.Second

// Trier asks kube-apiserver whether it accepts objects.
type Trier interface {
	// SampleNamespace returns a namespace in which the broker may ask; empty if there is
	// none.
	SampleNamespace() string
	// Try asks by dry run. The error is about an object that is not accepted; accepted is
	// false, without an error, if one of the answers says nothing about its object.
	Try(ctx context.Context, ns string, objs []runtime.Object) (accepted bool, _ error)
}

// Refuse returns the error for a request with which kube-apiserver did not accept an
// object of a class in namespace ns. The object may depend on the parameters and the owner
// of that request; if the objects with their defaults are not accepted either, the class
// is not Ready from then on.
func (s *Store) Refuse(ctx context.Context, class *policyv1alpha1.NamespaceClass, ns string, err error) *field.Error {
	path := field.NewPath("spec", "className")
	if rejected := s.try(ctx, class, ns); rejected != nil {
		s.wakeUp()
		return field.Invalid(path, class.Name, "the class cannot be used: "+oneLine(rejected))
	}
	return field.Invalid(path, class.Name, "the class cannot be used with these parameters, or by this owner: "+
		oneLine(err))
}

// try asks kube-apiserver in namespace ns whether it accepts the objects of a class, until
// it has accepted all of them, and returns the error about one that it does not accept.
func (s *Store) try(ctx context.Context, class *policyv1alpha1.NamespaceClass, ns string) error {
	found := s.check(class)
	if found.err != nil || found.accepted || ns == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
	defer cancel()
	accepted, err := s.trier.Try(ctx, ns, found.objects)
	if err == nil && !accepted {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.checked[class.UID]; ok && now.generation == found.generation {
		now.accepted, now.rejected = accepted && err == nil, err
		s.checked[class.UID] = now
	}
	return err
}

// rejection returns why kube-apiserver does not accept the objects of a class; empty if it
// does, or if that is not known. What another replica, or this one before it was
// restarted, wrote into the status holds until this one knows better.
func (s *Store) rejection(class *policyv1alpha1.NamespaceClass) string {
	found := s.check(class)
	if found.accepted {
		return ""
	}
	if found.rejected != nil {
		return oneLine(found.rejected)
	}
	c := meta.FindStatusCondition(class.Status.Conditions, policyv1alpha1.ConditionReady)
	if c != nil && c.Status == metav1.ConditionFalse && c.Reason == policyv1alpha1.ReasonRejectedObject &&
		c.ObservedGeneration == class.Generation {
		return c.Message
	}
	return ""
}
