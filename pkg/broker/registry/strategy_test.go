// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// invalidFields returns the fields that an Invalid error names; nil for no error.
func invalidFields(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	status, ok := err.(apierrors.APIStatus) //nolint:errorlint // package rest returns it unwrapped
	if !ok || !apierrors.IsInvalid(err) {
		t.Fatalf("got %v, want Invalid", err)
	}
	var out []string
	for _, c := range status.Status().Details.Causes {
		out = append(out, c.Field)
	}
	return out
}

// A user must get what the class gives, and learn each field that is wrong.
func TestCreateStrategy(t *testing.T) {
	class := &policyv1alpha1.NamespaceClass{ObjectMeta: metav1.ObjectMeta{Name: "small"}}
	class.Spec.Lifetime = policyv1alpha1.Lifetime{DefaultTTLSeconds: 60, MaximumTTLSeconds: 600}
	class.Status.Revision = "r2"
	waits := map[string]string{v1alpha1.AnnotationWait: "10m"}
	for name, c := range map[string]struct {
		change    func(*v1alpha1.TemporaryNamespace)
		generated bool
		want      []string
	}{
		"as it is": {change: func(*v1alpha1.TemporaryNamespace) {}},
		"a TTL over the maximum": {
			func(tn *v1alpha1.TemporaryNamespace) { v := int64(601); tn.Spec.TTLSeconds = &v }, false,
			[]string{"spec.ttlSeconds"},
		},
		"an older revision": {
			func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.ClassRevision = "r1" }, false, []string{"spec.classRevision"},
		},
		"extendUntil": {func(tn *v1alpha1.TemporaryNamespace) {
			tn.Spec.ExtendUntil = &metav1.Time{Time: time.Now()}
		}, false, []string{"spec.extendUntil"}},
		"an invalid label, and another error": {func(tn *v1alpha1.TemporaryNamespace) {
			tn.Labels, tn.Spec.ClassRevision = map[string]string{"-": "x"}, "r1"
		}, false, []string{"metadata.labels", "spec.classRevision"}},
		"an invalid label": {func(tn *v1alpha1.TemporaryNamespace) {
			tn.Labels = map[string]string{"-": "x"}
		}, false, []string{"metadata.labels"}},
		"queued, with a name": {func(tn *v1alpha1.TemporaryNamespace) {
			tn.GenerateName, tn.Annotations = "tmp-", waits // the name takes precedence
		}, false, nil},
		"queued, with a generated name and no request ID": {func(tn *v1alpha1.TemporaryNamespace) {
			tn.GenerateName, tn.Annotations = "tmp-", waits
		}, true, []string{"metadata.annotations[tenama.dev/request-id]"}},
	} {
		t.Run(name, func(t *testing.T) {
			tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-a"}}
			c.change(tn)
			rest.FillObjectMetaSystemFields(tn)
			s := &createStrategy{Scheme: typer, class: class, prefix: "tmp-", generated: c.generated}
			ctx := request.WithNamespace(context.Background(), "")
			if diff := cmp.Diff(c.want, invalidFields(t, rest.BeforeCreate(s, ctx, tn))); diff != "" {
				t.Error(diff)
			}
			if c.want == nil && (tn.Spec.ClassName != "small" || *tn.Spec.TTLSeconds != 60 || tn.Generation != 1) {
				t.Errorf("completed: class %q, TTL %v, generation %d", tn.Spec.ClassName, tn.Spec.TTLSeconds, tn.Generation)
			}
		})
	}
}

// A namespace of a class that ends what is not used must not get a longer lease than the class
// gives, or none.
func TestIdleLease(t *testing.T) {
	idle := int64(120)
	class := &policyv1alpha1.NamespaceClass{ObjectMeta: metav1.ObjectMeta{Name: "small"}}
	class.Spec.Lifetime = policyv1alpha1.Lifetime{DefaultTTLSeconds: 60, MaximumTTLSeconds: 600, IdleTTLSeconds: &idle}
	for _, row := range []struct {
		asked, got int64
		want       []string
	}{{0, 120, nil}, {60, 60, nil}, {120, 120, nil}, {121, 121, []string{"spec.leaseDurationSeconds"}}} {
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-a"}}
		if row.asked > 0 {
			tn.Spec.LeaseDurationSeconds = &row.asked
		}
		rest.FillObjectMetaSystemFields(tn)
		s := &createStrategy{Scheme: typer, class: class, prefix: "tmp-"}
		err := rest.BeforeCreate(s, request.WithNamespace(context.Background(), ""), tn)
		if diff := cmp.Diff(row.want, invalidFields(t, err)); diff != "" || *tn.Spec.LeaseDurationSeconds != row.got {
			t.Errorf("lease of %d s: got %d s, %s", row.asked, *tn.Spec.LeaseDurationSeconds, diff)
		}
	}
}

// A manifest that leaves fields out must neither undo an extension nor change the owner;
// what no client can set stays.
func TestUpdateStrategy(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	old := func() *v1alpha1.TemporaryNamespace {
		ttl := int64(600)
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{
			Name: "tmp-a", UID: types.UID("u"), ResourceVersion: "7", Generation: 3, CreationTimestamp: *at(-time.Minute),
			Annotations: map[string]string{v1alpha1.AnnotationRequestID: "id"},
		}}
		tn.Spec = v1alpha1.TemporaryNamespaceSpec{
			ClassName: "small", ClassRevision: "r1", OwnerGroup: "team", TTLSeconds: &ttl, ExtendUntil: at(time.Hour),
			Parameters: map[string]string{"size": "m"},
		}
		tn.Status.MaximumExpirationTimestamp = at(24 * time.Hour)
		return tn
	}
	for name, c := range map[string]struct {
		change     func(*v1alpha1.TemporaryNamespace)
		generation int64
		want       []string
	}{
		"everything left out": {func(tn *v1alpha1.TemporaryNamespace) {
			*tn = v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: tn.Name, ResourceVersion: "7", Generation: 9}}
		}, 3, nil},
		"extended": {func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.ExtendUntil = at(2 * time.Hour) }, 4, nil},
		"shortened": {
			func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.ExtendUntil = at(time.Minute) }, 4, []string{"spec.extendUntil"},
		},
		"another owner": {
			func(tn *v1alpha1.TemporaryNamespace) { tn.Spec.OwnerGroup = "mine" }, 4, []string{"spec.ownerGroup"},
		},
		"a deletion": {
			func(tn *v1alpha1.TemporaryNamespace) { tn.DeletionTimestamp = at(0) }, 3, []string{"metadata.deletionTimestamp"},
		},
		"a status": {func(tn *v1alpha1.TemporaryNamespace) { tn.Status.Owner = "eve" }, 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tn, before := old(), old()
			c.change(tn)
			ctx := request.WithNamespace(context.Background(), "")
			err := rest.BeforeUpdate(updateStrategy{typer, now}, ctx, tn, before)
			if diff := cmp.Diff(c.want, invalidFields(t, err)); diff != "" {
				t.Error(diff)
			}
			if tn.Generation != c.generation {
				t.Errorf("generation %d, want %d", tn.Generation, c.generation)
			}
			if c.generation == 3 && c.want == nil {
				if diff := cmp.Diff(old(), tn); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
