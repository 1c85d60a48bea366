// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

func TestRefusals(t *testing.T) {
	alice := user(t, "alice")
	mine := borrow(t, alice, unique("mine"), time.Hour)
	bobs := borrow(t, user(t, "bob"), unique("bobs"), time.Hour)
	if _, err := admin().CoreV1().Namespaces().
		Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-by-hand"}},
			metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*v1alpha1.TemporaryNamespace)) *v1alpha1.TemporaryNamespace {
		tn := tns(unique("no"), time.Hour)
		change(tn)
		return tn
	}
	for name, c := range map[string]struct {
		tn     *v1alpha1.TemporaryNamespace
		reason metav1.StatusReason
		field  string
		text   string
	}{
		"zero TTL": {
			tns(unique("no"), 0), metav1.StatusReasonInvalid, "spec.ttlSeconds", "must be positive",
		},
		"negative TTL": {
			tns(unique("no"), -time.Hour), metav1.StatusReasonInvalid, "spec.ttlSeconds", "must be positive",
		},
		"over the maximum": {
			tns(unique("no"), 8*24*time.Hour), metav1.StatusReasonInvalid, "spec.ttlSeconds", "at most 604800 (7d)",
		},
		"overflowing TTL": {
			with(func(tn *v1alpha1.TemporaryNamespace) { v := int64(1) << 62; tn.Spec.TTLSeconds = &v }),
			metav1.StatusReasonInvalid, "spec.ttlSeconds", "must be positive",
		},
		"without the prefix": {
			tns("mine", time.Hour), metav1.StatusReasonInvalid, "metadata.name", `must begin with "tmp-"`,
		},
		"the prefix alone": {
			tns("tmp-", time.Hour), metav1.StatusReasonInvalid, "metadata.name", "must not end after",
		},
		"not DNS-1123": {
			tns("tmp-Ä_", time.Hour), metav1.StatusReasonInvalid, "metadata.name", "RFC 1123",
		},
		"too long": {
			tns("tmp-"+strings.Repeat("x", 60), time.Hour), metav1.StatusReasonInvalid, "metadata.name", "63",
		},
		"unknown class": {
			with(func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.ClassName = "gold" }), metav1.StatusReasonInvalid,
			"spec.className", "known classes: default",
		},
		"finalizers": {
			with(func(tn *v1alpha1.TemporaryNamespace) { tn.Finalizers = []string{"a.b/c"} }), metav1.StatusReasonInvalid,
			"metadata.finalizers", "cannot wait for finalizers",
		},
		"owner references": {
			with(func(tn *v1alpha1.TemporaryNamespace) { tn.OwnerReferences = []metav1.OwnerReference{{Kind: "x"}} }),
			metav1.StatusReasonInvalid, "metadata.ownerReferences[0].apiVersion", "must not be empty",
		},
		"control characters": {
			with(func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.Reason = "a\x1b[31mb" }), metav1.StatusReasonInvalid,
			"spec.reason", "one line",
		},
		"a long reason": {
			with(func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.Reason = strings.Repeat("ä", 257) }),
			metav1.StatusReasonInvalid, "spec.reason", "256",
		},
		"extendUntil": {
			with(func(tn *v1alpha1.TemporaryNamespace) { n := metav1.Now(); tn.Spec.ExtendUntil = &n }),
			metav1.StatusReasonInvalid, "spec.extendUntil", "ttlSeconds",
		},
		"taken by the same user": {
			tns(mine.Name, time.Hour), metav1.StatusReasonAlreadyExists, "", "already exists",
		},
		"taken by another user": {
			tns(bobs.Name, time.Hour), metav1.StatusReasonAlreadyExists, "", "belongs to another owner; \"" + bobs.Name,
		},
		"taken by a namespace of no user": {
			tns("tmp-by-hand", time.Hour), metav1.StatusReasonAlreadyExists, "", "belongs to another owner",
		},
		"a body too large": {with(func(tn *v1alpha1.TemporaryNamespace) {
			tn.Annotations = map[string]string{"a": strings.Repeat("x", 70<<10)}
		}), metav1.StatusReasonRequestEntityTooLarge, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(allNamespaces(t))
			_, err := alice.Create(t.Context(), c.tn, metav1.CreateOptions{})
			if reason(err) != c.reason || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Fatalf("got %v (%s), want %s with %q", err, reason(err), c.reason, c.text)
			}
			if c.field != "" {
				status := err.(*apierrors.StatusError)
				if causes := status.Status().Details.Causes; len(causes) == 0 || causes[0].Field != c.field {
					t.Errorf("causes are %+v, want the field %s", causes, c.field)
				}
			}
			if len(allNamespaces(t)) != before {
				t.Error("a namespace was created")
			}
		})
	}
}
