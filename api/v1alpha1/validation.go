// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Bounds of what clients may say.
const (
	maxReason    = 256
	maxRequestID = 64
)

// ValidateName reports what is wrong with the name of a TemporaryNamespace: it
// must be a DNS-1123 label (RFC 1123), as every namespace's, and begin with
// prefix.
func ValidateName(name, prefix string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "name or generateName is required")}
	}
	var errs field.ErrorList
	switch better := prefix + strings.TrimPrefix(name, prefix); {
	case name == prefix:
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("must go on after %q", prefix)))
	case !strings.HasPrefix(name, prefix) && len(validation.IsDNS1123Label(better)) == 0:
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("must begin with %q: try %q", prefix, better)))
	case !strings.HasPrefix(name, prefix):
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("must begin with %q", prefix)))
	}
	if strings.HasSuffix(name, ReservedSuffix) {
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("must not end with %q, which is reserved", ReservedSuffix)))
	}
	for _, msg := range validation.IsDNS1123Label(name) {
		errs = append(errs, field.Invalid(path, name, msg))
	}
	return errs
}

// Validate reports what is wrong with tn, whoever sends it and whenever: the
// rules that need neither a class nor an earlier version.
func Validate(tn *TemporaryNamespace, prefix string) field.ErrorList {
	meta, spec := field.NewPath("metadata"), field.NewPath("spec")
	errs := ValidateName(tn.Name, prefix, meta.Child("name"))
	if tn.Namespace != "" {
		errs = append(errs, field.Forbidden(meta.Child("namespace"), "a temporary namespace is cluster-scoped"))
	}
	if base := tn.GenerateName; len(base) > validation.DNS1123LabelMaxLength {
		errs = append(errs, field.TooLong(meta.Child("generateName"), base, validation.DNS1123LabelMaxLength))
	} else if base != "" {
		for _, msg := range apivalidation.NameIsDNSLabel(base, true) {
			errs = append(errs, field.Invalid(meta.Child("generateName"), base, msg))
		}
	}
	errs = append(errs, metav1validation.ValidateLabels(tn.Labels, meta.Child("labels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(tn.Annotations, meta.Child("annotations"))...)
	errs = append(errs, apivalidation.ValidateOwnerReferences(tn.OwnerReferences, meta.Child("ownerReferences"))...)
	if len(tn.Finalizers) > 0 { // the Namespace is all there is, and it does not wait for them
		errs = append(errs, field.Forbidden(meta.Child("finalizers"), "a temporary namespace ends with its Namespace, and cannot wait for finalizers"))
	}
	if id := tn.Annotations[AnnotationRequestID]; len(id) > maxRequestID || strings.ContainsFunc(id, unprintable) {
		errs = append(errs, field.Invalid(meta.Child("annotations").Key(AnnotationRequestID), id, fmt.Sprintf("must be at most %d printable characters", maxRequestID)))
	}
	if ttl := tn.Spec.TTLSeconds; ttl != nil && (*ttl < 1 || *ttl > MaxTTLSeconds) {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), *ttl, "must be positive, and at most the maximum of the class"))
	}
	if name := tn.Spec.ClassName; name != "" {
		for _, msg := range validation.IsDNS1123Label(name) {
			errs = append(errs, field.Invalid(spec.Child("className"), name, msg))
		}
	}
	if r := tn.Spec.Reason; utf8.RuneCountInString(r) > maxReason || strings.ContainsFunc(r, unprintable) {
		errs = append(errs, field.Invalid(spec.Child("reason"), r, fmt.Sprintf("must be one line of at most %d printable characters", maxReason)))
	}
	return errs
}

// ValidateUpdate reports what is wrong with replacing old by tn: the class is
// immutable, the ceiling holds, and no write brings the expiry nearer.
func ValidateUpdate(tn, old *TemporaryNamespace) field.ErrorList {
	spec := field.NewPath("spec")
	var errs field.ErrorList
	if tn.Spec.ClassName != old.Spec.ClassName {
		errs = append(errs, field.Invalid(spec.Child("className"), tn.Spec.ClassName, fmt.Sprintf("is immutable: it is %q", old.Spec.ClassName)))
	}
	if id, was := tn.Annotations[AnnotationRequestID], old.Annotations[AnnotationRequestID]; id != was && id != "" {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(AnnotationRequestID), id, "is immutable"))
	}
	created := old.CreationTimestamp.Time
	maximum := old.Status.MaximumExpirationTimestamp
	if until := tn.Spec.ExtendUntil; until != nil && maximum != nil && until.After(maximum.Time) && !until.Equal(old.Spec.ExtendUntil) {
		errs = append(errs, field.Invalid(spec.Child("extendUntil"), until.UTC().Format(time.RFC3339),
			fmt.Sprintf("must not be after %s, the most that class %q allows", maximum.UTC().Format(time.RFC3339), old.Spec.ClassName)))
	}
	if until := tn.Spec.ExtendUntil; until != nil && until.Time.Before(created) {
		errs = append(errs, field.Invalid(spec.Child("extendUntil"), text(until), "must not be before the creation"))
	}
	now, was := deref(tn.Spec.TTLSeconds), deref(old.Spec.TTLSeconds)
	if maximum != nil && now > was && created.Add(time.Duration(now)*time.Second).After(maximum.Time) {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), now,
			fmt.Sprintf("must be at most %d, the maximum of class %q", int64(maximum.Sub(created)/time.Second), old.Spec.ClassName)))
	}
	if now < was {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), now, fmt.Sprintf("must not be lower than %d: no write brings the expiry nearer; delete the namespace to end it early", was)))
	}
	if before := old.Spec.ExtendUntil; before != nil && (tn.Spec.ExtendUntil == nil || tn.Spec.ExtendUntil.Time.Before(before.Time)) {
		errs = append(errs, field.Invalid(spec.Child("extendUntil"), text(tn.Spec.ExtendUntil),
			fmt.Sprintf("must not be earlier than %s: no write brings the expiry nearer; delete the namespace to end it early", before.UTC().Format(time.RFC3339))))
	}
	return errs
}

func deref(v *int64) int64 {
	if v == nil {
		return 0
	}
	return *v
}

func text(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// unprintable finds what does not belong into one line of text.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }
