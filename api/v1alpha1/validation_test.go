// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func sample() *TemporaryNamespace {
	ttl := int64(3600)
	born := metav1.NewTime(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	most := metav1.NewTime(born.Add(10 * time.Hour))
	return &TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{Name: "tmp-a", CreationTimestamp: born,
			Annotations: map[string]string{AnnotationRequestID: "r"}},
		Spec:   TemporaryNamespaceSpec{ClassName: "default", TTLSeconds: &ttl},
		Status: TemporaryNamespaceStatus{MaximumExpirationTimestamp: &most},
	}
}

func extensions(made, most int32) func(*TemporaryNamespace) {
	return func(tn *TemporaryNamespace) { tn.Status.Extensions, tn.Status.MaximumExtensions = made, &most }
}

func renewable(tn *TemporaryNamespace) {
	two := int64(7200)
	tn.Status.Lifetime, tn.Status.MaximumExpirationTimestamp, tn.Status.MaximumTTLSeconds = LifetimeRenewable, nil, &two
}

func leased(tn *TemporaryNamespace) {
	minute, at := int64(60), metav1.NewTime(tn.CreationTimestamp.Add(time.Minute))
	tn.Spec.LeaseDurationSeconds, tn.Spec.RenewTime = &minute, &at
}

// idle makes tn one of a class that ends what was not used for two hours.
func idle(tn *TemporaryNamespace) {
	leased(tn)
	hour, two := int64(3600), int64(7200)
	tn.Spec.LeaseDurationSeconds, tn.Status.IdleTTLSeconds = &hour, &two
}

func unbounded(tn *TemporaryNamespace) {
	tn.Status.Lifetime, tn.Status.MaximumExpirationTimestamp, tn.Spec.TTLSeconds = LifetimeUnbounded, nil, nil
}

func TestValidateUpdate(t *testing.T) {
	born := sample().CreationTimestamp
	at := func(d time.Duration) *metav1.Time { v := metav1.NewTime(born.Add(d)); return &v }
	seconds := func(v int64) *int64 { return &v }
	for name, c := range map[string]struct {
		old, change func(*TemporaryNamespace)
		field       string // rejected field; empty: accepted
	}{
		"nothing":  {nil, func(*TemporaryNamespace) {}, ""},
		"more TTL": {nil, func(tn *TemporaryNamespace) { tn.Spec.TTLSeconds = seconds(7200) }, ""},
		"less TTL": {nil, func(tn *TemporaryNamespace) {
			tn.Spec.TTLSeconds = seconds(3599)
		}, "spec.ttlSeconds"},
		"TTL at the ceiling": {nil, func(tn *TemporaryNamespace) { tn.Spec.TTLSeconds = seconds(36000) }, ""},
		"TTL beyond the ceiling": {nil, func(tn *TemporaryNamespace) {
			tn.Spec.TTLSeconds = seconds(36001)
		}, "spec.ttlSeconds"},
		"extension":                {nil, func(tn *TemporaryNamespace) { tn.Spec.ExtendUntil = at(2 * time.Hour) }, ""},
		"extension at the ceiling": {nil, func(tn *TemporaryNamespace) { tn.Spec.ExtendUntil = at(10 * time.Hour) }, ""},
		"extension beyond": {nil, func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(10*time.Hour + time.Second)
		}, "spec.extendUntil"},
		"extension into the past": {nil, func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(-time.Hour)
		}, "spec.extendUntil"},
		"extension before the era": {nil, func(tn *TemporaryNamespace) {
			v := metav1.NewTime(time.Time{}.Add(-24 * time.Hour))
			tn.Spec.ExtendUntil = &v
		}, "spec.extendUntil"},
		"extension taken back": {func(tn *TemporaryNamespace) { tn.Spec.ExtendUntil = at(2 * time.Hour) },
			func(tn *TemporaryNamespace) { tn.Spec.ExtendUntil = nil }, "spec.extendUntil"},
		"extension lowered": {func(tn *TemporaryNamespace) { tn.Spec.ExtendUntil = at(2 * time.Hour) },
			func(tn *TemporaryNamespace) { tn.Spec.ExtendUntil = at(time.Hour) }, "spec.extendUntil"},
		"a lease later": {nil, func(tn *TemporaryNamespace) {
			tn.Spec.LeaseDurationSeconds = seconds(60)
		}, "spec.leaseDurationSeconds"},
		"a longer lease": {leased, func(tn *TemporaryNamespace) {
			tn.Spec.LeaseDurationSeconds = seconds(3600)
		}, ""},
		"a lease as long as the class keeps unused namespaces": {idle, func(tn *TemporaryNamespace) {
			tn.Spec.LeaseDurationSeconds = seconds(7200)
		}, ""},
		"a longer one": {idle, func(tn *TemporaryNamespace) {
			tn.Spec.LeaseDurationSeconds = seconds(7201)
		}, "spec.leaseDurationSeconds"},
		"a longer one, from before the class had it": {func(tn *TemporaryNamespace) {
			idle(tn)
			tn.Spec.LeaseDurationSeconds = seconds(9000)
		}, func(*TemporaryNamespace) {}, ""},
		"a shorter lease": {leased, func(tn *TemporaryNamespace) {
			tn.Spec.LeaseDurationSeconds = seconds(10)
		}, "spec.leaseDurationSeconds"},
		"a lease renewed ahead": {leased, func(tn *TemporaryNamespace) {
			tn.Spec.RenewTime = at(9 * time.Hour)
		}, "spec.renewTime"},
		"a lease renewed": {leased, func(tn *TemporaryNamespace) { tn.Spec.RenewTime = at(2 * time.Minute) }, ""},
		"a lease renewed back": {leased, func(tn *TemporaryNamespace) {
			tn.Spec.RenewTime = at(time.Second)
		}, "spec.renewTime"},
		"another class": {nil, func(tn *TemporaryNamespace) { tn.Spec.ClassName = "gold" }, "spec.className"},
		"another request": {nil, func(tn *TemporaryNamespace) {
			tn.Annotations = map[string]string{AnnotationRequestID: "s"}
		}, "metadata.annotations[tenama.dev/request-id]"},
		"request left out": {nil, func(tn *TemporaryNamespace) { tn.Annotations = nil }, ""},
		"reason":           {nil, func(tn *TemporaryNamespace) { tn.Spec.Reason = "because" }, ""},
		"apply after an extension": {func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(2 * time.Hour)
		}, func(tn *TemporaryNamespace) { tn.Spec.TTLSeconds = seconds(3600) }, ""},
		"other parameters": {nil, func(tn *TemporaryNamespace) {
			tn.Spec.Parameters = map[string]string{"cpu": "4"}
		}, "spec.parameters"},
		"another owner group": {nil, func(tn *TemporaryNamespace) { tn.Spec.OwnerGroup = "devs" }, "spec.ownerGroup"},
		// validated by the registry
		"another revision": {nil, func(tn *TemporaryNamespace) { tn.Spec.ClassRevision = "b" }, ""},
		"the last extension": {extensions(2, 3), func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(2 * time.Hour)
		}, ""},
		"one extension too many": {extensions(3, 3), func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(2 * time.Hour)
		}, "spec.extendUntil"},
		"no extension at all": {extensions(0, 0), func(tn *TemporaryNamespace) {
			tn.Spec.TTLSeconds = seconds(7200)
		}, "spec.extendUntil"},
		"a reason is no extension": {extensions(3, 3), func(tn *TemporaryNamespace) { tn.Spec.Reason = "because" }, ""},
		// it is 5 h after birth
		"renewed": {renewable, func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(7 * time.Hour)
		}, ""},
		"renewed by a clock that is ahead": {renewable, func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(7*time.Hour + clockTolerance)
		}, ""},
		"renewed too far": {renewable, func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(7*time.Hour + clockTolerance + time.Second)
		}, "spec.extendUntil"},
		"renewed by TTL": {renewable, func(tn *TemporaryNamespace) {
			tn.Spec.TTLSeconds = seconds(7201)
		}, "spec.ttlSeconds"},
		"renewal taken back": {renewable, func(tn *TemporaryNamespace) {
			tn.Spec.TTLSeconds = seconds(60)
		}, "spec.ttlSeconds"},
		"unbounded, and extended": {unbounded, func(tn *TemporaryNamespace) {
			tn.Spec.ExtendUntil = at(2 * time.Hour)
		}, "spec.extendUntil"},
		"unbounded, and a TTL": {unbounded, func(tn *TemporaryNamespace) {
			tn.Spec.TTLSeconds = seconds(60)
		}, "spec.ttlSeconds"},
		"unbounded, and a reason": {unbounded, func(tn *TemporaryNamespace) { tn.Spec.Reason = "because" }, ""},
		"ceiling unknown: TTL more": {func(tn *TemporaryNamespace) { tn.Status.MaximumExpirationTimestamp = nil },
			func(tn *TemporaryNamespace) { tn.Spec.TTLSeconds = seconds(7200) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			old := sample()
			if c.old != nil {
				c.old(old)
			}
			tn := old.DeepCopy()
			c.change(tn)
			errs := ValidateUpdate(tn, old, born.Add(5*time.Hour))
			switch {
			case c.field == "" && len(errs) > 0:
				t.Errorf("refused: %v", errs)
			case c.field != "" && (len(errs) != 1 || errs[0].Field != c.field):
				t.Errorf("got %v, want %s refused", errs, c.field)
			}
		})
	}
}

func TestValidateName(t *testing.T) {
	for name, ok := range map[string]bool{
		"tmp-a": true, "tmp-": false, "tmp": false, "a": false, "tmp-A": false, "tmp-a-": false, "tmp-a.b": false, "": false,
		"tmp-" + strings.Repeat("a", 59): true, "tmp-" + strings.Repeat("a", 60): false, "tmp-ä": false, "tmp-a\n": false,
	} {
		if errs := ValidateName(name, "tmp-", nil); (len(errs) == 0) != ok {
			t.Errorf("%q: %v", name, errs)
		}
	}
}
