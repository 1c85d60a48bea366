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

// MaxTTLSeconds is the maximum of every TTL: 100 years, far from any overflow.
const MaxTTLSeconds int64 = 100 * 366 * 24 * 3600

// Lifetime holds the settings that determine when a namespace expires.
//
// +kubebuilder:object:generate=false
type Lifetime struct {
	Type        LifetimeType
	TTL         time.Duration // from creation
	MaximumTTL  time.Duration // from creation, or from now if Renewable
	ExtendUntil time.Time     // zero if it was never extended

	Lease   time.Duration // from Renewed, or from creation; zero without a lease
	Renewed time.Time
	Idle    time.Duration // the longest lease; zero if the class sets none

	Extensions        int32  // number of extensions made
	MaximumExtensions *int32 // maximum number of extensions; nil is unlimited
}

// ReadLifetime parses the lifetime from the metadata of a Namespace. An error means
// that the expiry is unknown; such a namespace must be kept.
func ReadLifetime(m *metav1.ObjectMeta) (Lifetime, error) {
	l := Lifetime{Type: LifetimeFixed}
	var err error
	if _, leased := m.Annotations[AnnotationLease]; leased {
		if l.Lease, err = seconds(m, AnnotationLease); err != nil {
			return l, err
		}
	}
	if _, idle := m.Annotations[AnnotationIdleTTL]; idle {
		if l.Idle, err = seconds(m, AnnotationIdleTTL); err != nil {
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
		return l, fmt.Errorf("read annotation %q: %q is not a lifetime type", AnnotationLifetime, t)
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

// Expiry returns the time when a namespace created at the given time expires; zero
// means never. A lease that is not renewed makes it expire earlier.
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

// Deadline returns the expiry under the assumption that the lease, if there is one, is
// always renewed.
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

// DeadlineOf returns the time when tn expires even if its lease, if it has one, is
// always renewed; zero means never.
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

// Ceiling returns the latest possible expiry of a namespace created at the given time;
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

// OwnerHash returns a label value for a user name, which may contain any character: 32
// hexadecimal digits of its SHA-256.
func OwnerHash(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:16])
}

// GroupHash is like OwnerHash, for a group. The hash of a group never equals that of a
// user.
func GroupHash(group string) string {
	sum := sha256.Sum256([]byte("group\x00" + group))
	return hex.EncodeToString(sum[:16])
}
