// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"time"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// typer knows the kind of a TemporaryNamespace, for the error messages of package rest.
var typer = func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}()

// createStrategy completes and validates a TemporaryNamespace that is to be created.
// rest.BeforeCreate calls it.
type createStrategy struct {
	*runtime.Scheme
	names.NameGenerator
	class      *policyv1alpha1.NamespaceClass // nil if there is none that can be used
	classError *field.Error                   // says why
	prefix     string                         // of the names of the class
	generated  bool                           // the name was completed from generateName
	errs       field.ErrorList                // found by PrepareForCreate
}

var _ rest.RESTCreateStrategy = &createStrategy{}

// NamespaceScoped is false.
func (s *createStrategy) NamespaceScoped() bool { return false }

// PrepareForCreate sets the fields that the class determines.
func (s *createStrategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	tn := obj.(*v1alpha1.TemporaryNamespace)
	tn.Generation = 1
	if s.class == nil {
		return
	}
	s.errs = append(defaultLease(tn, s.class), defaultLifetime(tn, s.class)...)
	chosen, errs := s.class.Spec.Choose(tn.Spec.Parameters, field.NewPath("spec", "parameters"))
	s.errs = append(s.errs, errs...)
	tn.Spec.ClassName, tn.Spec.Parameters = s.class.Name, chosen
}

// Validate returns the errors of tn, those about its class last.
func (s *createStrategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	tn, spec := obj.(*v1alpha1.TemporaryNamespace), field.NewPath("spec")
	var errs field.ErrorList
	waits, id := tn.Annotations[v1alpha1.AnnotationWait] != "", tn.Annotations[v1alpha1.AnnotationRequestID]
	if s.generated && waits && id == "" {
		errs = append(errs, field.Required(field.NewPath("metadata", "annotations").Key(v1alpha1.AnnotationRequestID),
			"keeps the position in the queue of a request without a name"))
	}
	errs = append(errs, v1alpha1.Validate(tn, s.prefix)...)
	meta := field.NewPath("metadata") // rest.BeforeCreate would report these alone, after the others
	errs = append(errs, metav1validation.ValidateLabels(tn.Labels, meta.Child("labels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(tn.Annotations, meta.Child("annotations"))...)
	errs = append(errs, apivalidation.ValidateOwnerReferences(tn.OwnerReferences, meta.Child("ownerReferences"))...)
	if tn.Spec.ExtendUntil != nil {
		errs = append(errs, field.Forbidden(spec.Child("extendUntil"), "must not be set at creation; use ttlSeconds"))
	}
	if tn.Spec.RenewTime != nil && tn.Spec.LeaseDurationSeconds != nil {
		errs = append(errs, field.Forbidden(spec.Child("renewTime"),
			"must not be set at creation: a lease begins with the creation"))
	}
	if s.class == nil {
		return append(errs, s.classError)
	}
	errs = append(errs, s.errs...)
	if rev := s.class.Status.Revision; tn.Spec.ClassRevision != "" && tn.Spec.ClassRevision != rev {
		errs = append(errs, field.Invalid(spec.Child("classRevision"), tn.Spec.ClassRevision,
			fmt.Sprintf("must be omitted or %q, the current revision of the class", rev)))
	}
	return errs
}

// WarningsOnCreate is empty.
func (s *createStrategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// Canonicalize does nothing.
func (s *createStrategy) Canonicalize(runtime.Object) {}

// defaultLease gives tn the lease of the class, if the class ends namespaces that are not
// used.
func defaultLease(tn *v1alpha1.TemporaryNamespace, class *policyv1alpha1.NamespaceClass) field.ErrorList {
	idle, lease := class.Spec.Lifetime.IdleTTLSeconds, tn.Spec.LeaseDurationSeconds
	switch {
	case idle != nil && lease == nil:
		tn.Spec.LeaseDurationSeconds = idle
	case idle != nil && *lease > *idle:
		return field.ErrorList{field.Invalid(field.NewPath("spec", "leaseDurationSeconds"), *lease,
			fmt.Sprintf("must be at most %d (%s): class %q ends namespaces that were not used for that long", *idle,
				duration.HumanDuration(time.Duration(*idle)*time.Second), class.Name))}
	}
	return nil
}

// defaultLifetime gives tn the TTL of the class if it has none.
func defaultLifetime(tn *v1alpha1.TemporaryNamespace, class *policyv1alpha1.NamespaceClass) field.ErrorList {
	path := field.NewPath("spec", "ttlSeconds")
	life := class.Spec.Lifetime
	switch ttl := tn.Spec.TTLSeconds; {
	case life.Type == v1alpha1.LifetimeUnbounded && ttl != nil:
		return field.ErrorList{field.Invalid(path, *ttl,
			fmt.Sprintf("must be omitted: namespaces of class %q do not expire", class.Name))}
	case life.Type == v1alpha1.LifetimeUnbounded:
	case ttl == nil && tn.Spec.LeaseDurationSeconds != nil: // the lease ends it; the TTL must not end it before
		tn.Spec.TTLSeconds = &life.MaximumTTLSeconds
	case ttl == nil:
		tn.Spec.TTLSeconds = &life.DefaultTTLSeconds
	case *ttl > life.MaximumTTLSeconds:
		return field.ErrorList{field.Invalid(path, *ttl,
			fmt.Sprintf("must be at most %d (%s), the maximum of class %q", life.MaximumTTLSeconds,
				duration.HumanDuration(time.Duration(life.MaximumTTLSeconds)*time.Second), class.Name))}
	}
	return nil
}
