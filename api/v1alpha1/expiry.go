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
	TTL         time.Duration // from creation
	MaximumTTL  time.Duration // from creation; the ceiling
	ExtendUntil time.Time     // zero if it was never extended
}

// ReadLifetime reads the lifetime from the metadata of a Namespace. An error
// means that the expiry is not known; such a namespace must be kept.
func ReadLifetime(m *metav1.ObjectMeta) (Lifetime, error) {
	var l Lifetime
	var err error
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
	return l, nil
}

// Expiry is when a namespace created at the given time expires.
func (l Lifetime) Expiry(created time.Time) time.Time {
	at := created.Add(l.TTL)
	if l.ExtendUntil.After(at) {
		at = l.ExtendUntil
	}
	if ceiling := l.Ceiling(created); at.After(ceiling) {
		at = ceiling
	}
	return at
}

// Ceiling is the latest possible expiry of a namespace created at the given time.
func (l Lifetime) Ceiling(created time.Time) time.Time {
	return created.Add(l.MaximumTTL)
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
