// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// clockTolerance is by how much an extension may exceed a maximum that is counted from
// now: the client computes it by its own clock, with a precision of some seconds.
const clockTolerance = 5 * time.Second

// Maximum lengths of fields that clients set.
const (
	// MaxReason is the maximum number of characters of spec.reason.
	MaxReason = 256

	maxRequestID = 64
	maxGroup     = 253
)

// maxAhead is the maximum clock skew that is tolerated.
const maxAhead = time.Minute

// MinLeaseSeconds is the minimum lease duration, so that a lease can be renewed in time
// despite network latency and clock skew.
const MinLeaseSeconds int64 = 10

// MaxWait is the maximum time that a creator can wait for capacity.
const MaxWait = time.Hour

// ValidateName reports errors in the name of a TemporaryNamespace: it must be a
// DNS-1123 label (RFC 1123), as for every Namespace, and begin with prefix.
func ValidateName(name, prefix string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "name or generateName is required")}
	}
	var errs field.ErrorList
	switch better := prefix + strings.TrimPrefix(name, prefix); {
	case name == prefix:
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("must not end after %q", prefix)))
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

// Validate reports errors in tn that can be detected without its class and its previous
// version. It applies to all users and all operations. Labels, annotations and owner
// references are left to package rest of k8s.io/apiserver.
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
	if len(tn.Finalizers) > 0 { // the object is a view of the Namespace, which does not wait for these finalizers
		errs = append(errs, field.Forbidden(meta.Child("finalizers"),
			"a temporary namespace is deleted with its Namespace, and cannot wait for finalizers"))
	}
	if id := tn.Annotations[AnnotationRequestID]; len(id) > maxRequestID || strings.ContainsFunc(id, unprintable) {
		errs = append(errs, field.Invalid(meta.Child("annotations").Key(AnnotationRequestID), id,
			fmt.Sprintf("must be at most %d printable characters", maxRequestID)))
	}
	if ttl := tn.Spec.TTLSeconds; ttl != nil && (*ttl < 1 || *ttl > MaxTTLSeconds) {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), *ttl,
			"must be positive, and at most the maximum of the class"))
	}
	if s := tn.Spec.LeaseDurationSeconds; s != nil && (*s < MinLeaseSeconds || *s > MaxTTLSeconds) {
		errs = append(errs, field.Invalid(spec.Child("leaseDurationSeconds"), *s,
			fmt.Sprintf("must be at least %d", MinLeaseSeconds)))
	}
	if tn.Spec.RenewTime != nil && tn.Spec.LeaseDurationSeconds == nil {
		errs = append(errs, field.Forbidden(spec.Child("renewTime"),
			"there is no lease: leaseDurationSeconds is set at creation only"))
	}
	if name := tn.Spec.ClassName; name != "" {
		for _, msg := range validation.IsDNS1123Label(name) {
			errs = append(errs, field.Invalid(spec.Child("className"), name, msg))
		}
	}
	if w := tn.Annotations[AnnotationWait]; w != "" {
		if d, err := time.ParseDuration(w); err != nil || d <= 0 || d > MaxWait {
			errs = append(errs, field.Invalid(meta.Child("annotations").Key(AnnotationWait), w,
				fmt.Sprintf("must be a duration such as 10m, at most %s", MaxWait)))
		}
	}
	if g := tn.Spec.OwnerGroup; strings.HasPrefix(g, "system:") {
		errs = append(errs, field.Invalid(spec.Child("ownerGroup"), g, "must not be a system group"))
	} else if len(g) > maxGroup || strings.ContainsFunc(g, unprintable) {
		errs = append(errs, field.Invalid(spec.Child("ownerGroup"), g,
			fmt.Sprintf("must be at most %d printable characters", maxGroup)))
	}
	if r := tn.Spec.Reason; utf8.RuneCountInString(r) > MaxReason || strings.ContainsFunc(r, unprintable) {
		errs = append(errs, field.Invalid(spec.Child("reason"), r,
			fmt.Sprintf("must be one line of at most %d printable characters", MaxReason)))
	}
	return errs
}

// ValidateUpdate reports errors in replacing old by tn at the time now: immutable
// fields must not change, the maximum lifetime must not be exceeded, and the expiry
// must not become earlier.
func ValidateUpdate(tn, old *TemporaryNamespace, now time.Time) field.ErrorList {
	spec := field.NewPath("spec")
	var errs field.ErrorList
	if tn.Spec.ClassName != old.Spec.ClassName {
		errs = append(errs, field.Invalid(spec.Child("className"), tn.Spec.ClassName,
			fmt.Sprintf("is immutable: it is %q", old.Spec.ClassName)))
	}
	if !maps.Equal(tn.Spec.Parameters, old.Spec.Parameters) {
		errs = append(errs, field.Invalid(spec.Child("parameters"), tn.Spec.Parameters, "are immutable"))
	}
	if tn.Spec.OwnerGroup != old.Spec.OwnerGroup {
		errs = append(errs, field.Invalid(spec.Child("ownerGroup"), tn.Spec.OwnerGroup,
			fmt.Sprintf("is immutable: it is %q", old.Spec.OwnerGroup)))
	}
	if id, was := tn.Annotations[AnnotationRequestID], old.Annotations[AnnotationRequestID]; id != was && id != "" {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(AnnotationRequestID), id,
			"is immutable"))
	}
	switch was, is := deref(old.Spec.LeaseDurationSeconds), deref(tn.Spec.LeaseDurationSeconds); {
	case was == 0 && is != 0:
		errs = append(errs, field.Invalid(spec.Child("leaseDurationSeconds"), is,
			"is set at creation only: it would bring the expiry nearer"))
	case is < was:
		errs = append(errs, field.Invalid(spec.Child("leaseDurationSeconds"), is,
			fmt.Sprintf("must not be lower than %d: an update cannot bring the expiry nearer", was)))
	}
	if most, is := deref(old.Status.IdleTTLSeconds), deref(tn.Spec.LeaseDurationSeconds); most > 0 && is > most &&
		is > deref(old.Spec.LeaseDurationSeconds) {
		errs = append(errs, field.Invalid(spec.Child("leaseDurationSeconds"), is,
			fmt.Sprintf("must be at most %d: class %q ends namespaces that were not used for that long; renew renewTime",
				most, old.Spec.ClassName)))
	}
	if is, was := tn.Spec.RenewTime, old.Spec.RenewTime; was != nil && (is == nil || is.Time.Before(was.Time)) {
		errs = append(errs, field.Invalid(spec.Child("renewTime"), text(is),
			fmt.Sprintf("must not be earlier than %s: an update cannot bring the expiry nearer", text(was))))
	} else if is != nil && is.Time.Before(old.CreationTimestamp.Time) {
		errs = append(errs, field.Invalid(spec.Child("renewTime"), text(is), "must not be before the creation"))
	} else if is != nil && is.Time.After(now.Add(maxAhead)) && !is.Equal(was) {
		errs = append(errs, field.Invalid(spec.Child("renewTime"), text(is),
			"must not be in the future; to keep the namespace longer without a renewal, raise leaseDurationSeconds"))
	}
	return append(errs, validateLifetime(tn, old, now)...)
}

// validateLifetime is the part of ValidateUpdate for the fields that determine the
// expiry.
func validateLifetime(tn, old *TemporaryNamespace, now time.Time) field.ErrorList {
	spec := field.NewPath("spec")
	var errs field.ErrorList
	until, before := tn.Spec.ExtendUntil, old.Spec.ExtendUntil
	ttl, was := deref(tn.Spec.TTLSeconds), deref(old.Spec.TTLSeconds)
	if old.Status.Lifetime == LifetimeUnbounded {
		if until != nil {
			errs = append(errs, field.Forbidden(spec.Child("extendUntil"), "the namespace does not expire"))
		}
		if ttl != 0 {
			errs = append(errs, field.Forbidden(spec.Child("ttlSeconds"), "the namespace does not expire"))
		}
		return errs
	}
	created := old.CreationTimestamp.Time
	tolerance := time.Duration(0)
	latest, allows := time.Time{}, fmt.Sprintf("the maximum of class %q", old.Spec.ClassName)
	switch {
	case old.Status.MaximumExpirationTimestamp != nil:
		latest = old.Status.MaximumExpirationTimestamp.Time
	case old.Status.MaximumTTLSeconds != nil:
		most := time.Duration(*old.Status.MaximumTTLSeconds) * time.Second
		tolerance = clockTolerance
		latest, allows = now.Add(most), fmt.Sprintf("%s from now, %s", most, allows)
	}
	if until != nil && !latest.IsZero() && until.After(latest.Add(tolerance)) && !until.Equal(before) {
		errs = append(errs, field.Invalid(spec.Child("extendUntil"), text(until),
			fmt.Sprintf("must not be after %s, %s", latest.UTC().Format(time.RFC3339), allows)))
	}
	if until != nil && until.Time.Before(created) {
		errs = append(errs, field.Invalid(spec.Child("extendUntil"), text(until), "must not be before the creation"))
	}
	if !latest.IsZero() && ttl > was && created.Add(time.Duration(ttl)*time.Second).After(latest) {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), ttl,
			fmt.Sprintf("must be at most %d, the maximum of class %q", int64(latest.Sub(created)/time.Second),
				old.Spec.ClassName)))
	}
	if most := old.Status.MaximumTTLSeconds; most != nil && ttl > was && ttl > *most {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), ttl,
			fmt.Sprintf("must be at most %d: use extendUntil to extend further", *most)))
	}
	if ttl < was {
		errs = append(errs, field.Invalid(spec.Child("ttlSeconds"), ttl,
			fmt.Sprintf(
				"must not be lower than %d: an update cannot bring the expiry nearer; delete the namespace to end it early", was)))
	}
	if before != nil && (until == nil || until.Time.Before(before.Time)) {
		errs = append(errs, field.Invalid(spec.Child("extendUntil"), text(until),
			fmt.Sprintf(
				"must not be earlier than %s: an update cannot bring the expiry nearer; delete the namespace to end it early",
				text(before))))
	}
	if most := old.Status.MaximumExtensions; most != nil && old.Status.Extensions >= *most && Extends(tn, old) {
		errs = append(errs, field.Forbidden(spec.Child("extendUntil"),
			fmt.Sprintf("the namespace has been extended %d times, the maximum of class %q", old.Status.Extensions,
				old.Spec.ClassName)))
	}
	return errs
}

// Extends reports whether the expiry of tn is later than that of old.
func Extends(tn, old *TemporaryNamespace) bool {
	expiry := func(tn *TemporaryNamespace) time.Time {
		l := Lifetime{Type: LifetimeRenewable, TTL: time.Duration(deref(tn.Spec.TTLSeconds)) * time.Second}
		if tn.Spec.ExtendUntil != nil {
			l.ExtendUntil = tn.Spec.ExtendUntil.Time
		}
		return l.Expiry(old.CreationTimestamp.Time)
	}
	return expiry(tn).After(expiry(old))
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

// unprintable reports whether r is not allowed in a line of text.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }
