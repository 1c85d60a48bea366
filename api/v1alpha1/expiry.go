// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxTTLSeconds bounds every TTL: 100 years, far from any overflow.
const MaxTTLSeconds int64 = 100 * 366 * 24 * 3600

// Lifetime is what decides when a namespace expires.
//
// +kubebuilder:object:generate=false
type Lifetime struct {
	Type        LifetimeType
	TTL         time.Duration // from creation
	MaximumTTL  time.Duration // from creation, or from now if Renewable
	ExtendUntil time.Time     // zero if it was never extended

	Lease   time.Duration // after Renewed, or the creation; zero if there is none
	Renewed time.Time

	Extensions        int32  // so many were made
	MaximumExtensions *int32 // so many may be; nil is any number
}

// ReadLifetime reads the lifetime from the metadata of a Namespace. An error
// means that the expiry is not known; such a namespace must be kept.
func ReadLifetime(m *metav1.ObjectMeta) (Lifetime, error) {
	l := Lifetime{Type: LifetimeFixed}
	var err error
	if _, leased := m.Annotations[AnnotationLease]; leased {
		if l.Lease, err = seconds(m, AnnotationLease); err != nil {
			return l, err
		}
	}
	if s := m.Annotations[AnnotationRenewed]; s != "" {
		if l.Renewed, err = time.Parse(time.RFC3339, s); err != nil {
			return l, fmt.Errorf("read annotation %q: %w", AnnotationRenewed, err)
		}
	}
	switch t := LifetimeType(m.Annotations[AnnotationLifetime]); t {
	case LifetimeUnbounded:
		l.Type = t
		return l, nil
	case LifetimeRenewable:
		l.Type = t
	case LifetimeFixed, "":
	default:
		return l, fmt.Errorf("read annotation %q: %q is no type of a lifetime", AnnotationLifetime, t)
	}
	if l.TTL, err = seconds(m, AnnotationTTL); err != nil {
		return l, err
	}
	if l.MaximumTTL, err = seconds(m, AnnotationMaximumTTL); err != nil {
		return l, err
	}
	if s := m.Annotations[AnnotationExtendUntil]; s != "" {
		if l.ExtendUntil, err = time.Parse(time.RFC3339, s); err != nil {
			return l, fmt.Errorf("read annotation %q: %w", AnnotationExtendUntil, err)
		}
	}
	if n, err := count(m, AnnotationExtensions); err != nil {
		return l, err
	} else if n != nil {
		l.Extensions = *n
	}
	l.MaximumExtensions, err = count(m, AnnotationMaximumExtensions)
	return l, err
}

// Expiry is when a namespace created at the given time expires; zero is never. A
// lease that is not renewed ends it earlier.
func (l Lifetime) Expiry(created time.Time) time.Time {
	at := l.Deadline(created)
	if l.Lease == 0 {
		return at
	}
	from := created
	if l.Renewed.After(from) {
		from = l.Renewed
	}
	if end := from.Add(l.Lease); at.IsZero() || end.Before(at) {
		return end
	}
	return at
}

// Deadline is Expiry if a lease, where there is one, is renewed for ever.
func (l Lifetime) Deadline(created time.Time) time.Time {
	if l.Type == LifetimeUnbounded {
		return time.Time{}
	}
	at := created.Add(l.TTL)
	if l.ExtendUntil.After(at) {
		at = l.ExtendUntil
	}
	if ceiling := l.Ceiling(created); !ceiling.IsZero() && at.After(ceiling) {
		at = ceiling
	}
	return at
}

// DeadlineOf is when tn expires even if its lease, where it has one, is renewed for
// ever; zero is never.
func DeadlineOf(tn *TemporaryNamespace) time.Time {
	l := Lifetime{Type: tn.Status.Lifetime, TTL: time.Duration(deref(tn.Spec.TTLSeconds)) * time.Second}
	if tn.Spec.ExtendUntil != nil {
		l.ExtendUntil = tn.Spec.ExtendUntil.Time
	}
	if most := tn.Status.MaximumExpirationTimestamp; most != nil {
		l.MaximumTTL = most.Sub(tn.CreationTimestamp.Time)
	}
	return l.Deadline(tn.CreationTimestamp.Time)
}

// Ceiling is the latest possible expiry of a namespace created at the given time;
// zero if no such time is fixed.
func (l Lifetime) Ceiling(created time.Time) time.Time {
	if l.Type == LifetimeRenewable || l.Type == LifetimeUnbounded {
		return time.Time{}
	}
	return created.Add(l.MaximumTTL)
}

func count(m *metav1.ObjectMeta, key string) (*int32, error) {
	s, ok := m.Annotations[key]
	if !ok {
		return nil, nil
	}
	v, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("read annotation %q: %w", key, err)
	}
	n := int32(v)
	return &n, nil
}

func seconds(m *metav1.ObjectMeta, key string) (time.Duration, error) {
	v, err := strconv.ParseInt(m.Annotations[key], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read annotation %q: %w", key, err)
	}
	if v < 1 || v > min(MaxTTLSeconds, math.MaxInt64/int64(time.Second)) {
		return 0, fmt.Errorf("read annotation %q: %d is out of range", key, v)
	}
	return time.Duration(v) * time.Second, nil
}

// OwnerHash turns a user name, which may hold any character, into a label
// value: 32 hexadecimal digits of its SHA-256.
func OwnerHash(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:16])
}

// GroupHash is OwnerHash for a group. No user has the hash of a group.
func GroupHash(group string) string {
	sum := sha256.Sum256([]byte("group\x00" + group))
	return hex.EncodeToString(sum[:16])
}
