// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"tenama.dev/tenama/api/v1alpha1"
)

// record is what an endpoint was told about a namespace.
type record struct {
	UID     string    `json:"u"`
	Owner   string    `json:"o,omitempty"`
	Group   string    `json:"g,omitempty"`
	Class   string    `json:"c,omitempty"`
	Created time.Time `json:"t"`
	// Expires is the expiry, zero if there is none, of which notice is given.
	Expires time.Time `json:"e,omitzero"`
	// Given is the time until which notices were given, or are void.
	Given time.Time `json:"n,omitzero"`
	// Later is when a message of type modified is due that was put off; zero if none was.
	Later time.Time `json:"l,omitzero"`
	// Told is when the last one was sent.
	Told time.Time `json:"m,omitzero"`
	// State changes when a message of type modified is due.
	State string `json:"s"`
}

// recordOf returns the record of tn.
func recordOf(tn *v1alpha1.TemporaryNamespace) record {
	r := record{UID: string(tn.UID), Owner: tn.Status.Owner, Group: tn.Status.OwnerGroup, Class: tn.Spec.ClassName,
		Created: tn.CreationTimestamp.UTC(), State: stateOf(tn)}
	if tn.DeletionTimestamp == nil && !onHold(tn) {
		r.Expires = expiry(tn)
	}
	return r
}

// last returns what is known of a namespace that is gone.
func (r record) last(name string) Data {
	d := Data{Namespace: name, UID: r.UID, Phase: "Deleted", Owner: r.Owner, OwnerGroup: r.Group, ClassName: r.Class,
		CreationTimestamp: r.Created}
	if !r.Expires.IsZero() {
		d.ExpirationTimestamp = &r.Expires
	}
	return d
}

// stateOf returns a hash of what receivers learn about: phase, hold, class revision, extensions,
// reason, labels and annotations. The renewal of a lease is no modification.
func stateOf(tn *v1alpha1.TemporaryNamespace) string {
	d := describe(tn)
	d.ExpirationTimestamp = nil
	if t := v1alpha1.DeadlineOf(tn); !t.IsZero() {
		t = t.UTC()
		d.ExpirationTimestamp = &t
	}
	b, _ := json.Marshal(struct { // strings and times have no errors
		Data
		Revision string
	}{d, tn.Status.ClassRevision})
	sum := sha256.Sum256(b)
	return base64.RawStdEncoding.EncodeToString(sum[:9])
}

// expiry returns the expiry of tn of which notice is given; zero if there is none. For a lease
// that a process renews all the time, it is the expiry that no renewal moves.
func expiry(tn *v1alpha1.TemporaryNamespace) time.Time {
	if v1alpha1.Leased(tn) {
		return v1alpha1.DeadlineOf(tn)
	}
	if t := tn.Status.ExpirationTimestamp; t != nil {
		return t.UTC()
	}
	return time.Time{}
}

func onHold(tn *v1alpha1.TemporaryNamespace) bool {
	return meta.IsStatusConditionTrue(tn.Status.Conditions, v1alpha1.ConditionOnHold)
}

// noticeID distinguishes the notices of a namespace.
func noticeID(at time.Time, before time.Duration) string {
	return strconv.FormatInt(at.Unix(), 10) + "-" + strconv.FormatInt(int64(before/time.Second), 10)
}
