// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/api/v1alpha1"
)

var born = metav1.NewTime(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

func sampleNamespace(name string, change func(*corev1.Namespace)) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID("uid-" + name), ResourceVersion: "7", CreationTimestamp: born,
		Labels: map[string]string{v1alpha1.LabelManaged: "true", v1alpha1.LabelClass: "default",
			v1alpha1.LabelOwner: v1alpha1.OwnerHash("alice")},
		Annotations: map[string]string{
			v1alpha1.AnnotationOwner: "alice", v1alpha1.AnnotationTTL: "3600", v1alpha1.AnnotationMaximumTTL: "7200",
			v1alpha1.AnnotationReady: "true",
		},
	}}
	if change != nil {
		change(ns)
	}
	return ns
}

// Metadata that clients set on a TemporaryNamespace must come back unchanged, and
// must not reach the labels of the Namespace.
func TestEncodeAndDecode(t *testing.T) {
	ns := sampleNamespace("tmp-a", nil)
	tn := fromNamespace(ns)
	until := metav1.NewTime(born.Add(90 * time.Minute))
	tn.Labels = map[string]string{"team": "a", "istio-injection": "enabled"}
	tn.Annotations = map[string]string{"note": "ä\n\"x\""}
	tn.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Apply",
		APIVersion: "tenama.dev/v1alpha1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`)}}
	tn.Generation = 3
	tn.Spec.ExtendUntil, tn.Spec.Reason = &until, "because"
	before := ns.DeepCopy()
	if err := encode(ns, tn, &v1alpha1.TemporaryNamespace{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Labels, ns.Labels); diff != "" {
		t.Errorf("labels of the Namespace changed: %s", diff)
	}
	got := fromNamespace(ns)
	if !got.Status.ExpirationTimestamp.Equal(&until) {
		t.Errorf("it expires at %s, want %s", got.Status.ExpirationTimestamp, until)
	}
	tn.Status = got.Status
	if diff := cmp.Diff(tn, got); diff != "" {
		t.Errorf("(-said +read):\n%s", diff)
	}
	tn.Annotations["big"] = strings.Repeat("x", maxObjectBytes)
	if err := encode(ns, tn, &v1alpha1.TemporaryNamespace{}); !apierrors.IsRequestEntityTooLargeError(err) {
		t.Errorf("too much: got %v", err)
	}
	ns.Annotations[v1alpha1.AnnotationObject] = `{"annotations":{"big":"` + strings.Repeat("x", 3*maxObjectBytes) + `"}}`
	if err := encode(ns, tn, fromNamespace(ns)); err != nil {
		t.Errorf("smaller than before: got %v", err)
	}
}

func TestPhases(t *testing.T) {
	now := metav1.Now()
	for name, c := range map[string]struct {
		change func(*corev1.Namespace)
		phase  v1alpha1.TemporaryNamespacePhase
		ready  metav1.ConditionStatus
	}{
		"being made": {func(ns *corev1.Namespace) {
			delete(ns.Annotations, v1alpha1.AnnotationReady)
		}, v1alpha1.PhasePending, metav1.ConditionFalse},
		"ready": {nil, v1alpha1.PhaseReady, metav1.ConditionTrue},
		"its owner has no access": {func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationOwnerAccess] = v1alpha1.OwnerAccessMissing
		}, v1alpha1.PhaseNoAccess, metav1.ConditionFalse},
		"going": {func(ns *corev1.Namespace) {
			ns.DeletionTimestamp = &now
		}, v1alpha1.PhaseTerminating, metav1.ConditionFalse},
	} {
		tn := fromNamespace(sampleNamespace("tmp-a", c.change))
		if tn.Status.Phase != c.phase || tn.Status.Conditions[0].Status != c.ready {
			t.Errorf("%s: got %+v", name, tn.Status)
		}
	}
	if tn := fromNamespace(&corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "bare"}}); tn.Status.ExpirationTimestamp != nil {
		t.Errorf("without annotations: %+v", tn)
	}
}

// A derived UID must be stable, and must never be the Namespace's.
func TestUID(t *testing.T) {
	a := v1alpha1.UIDOf("13da5467-0739-4266-83c2-60a1e52761a1")
	if a == "13da5467-0739-4266-83c2-60a1e52761a1" || a != v1alpha1.UIDOf("13da5467-0739-4266-83c2-60a1e52761a1") ||
		a == v1alpha1.UIDOf("other") || v1alpha1.UIDOf("") != "" {
		t.Errorf("got %s", a)
	}
}

// The labels, annotations and managed fields of clients are bounded, for every user
// and write; but an object at the bound can still be extended, and so can one of a release
// with higher bounds.
func TestEncodedIsBounded(t *testing.T) {
	full := func(labels int, managed int) *v1alpha1.TemporaryNamespace {
		ttl := int64(60)
		tn := &v1alpha1.TemporaryNamespace{Spec: v1alpha1.TemporaryNamespaceSpec{TTLSeconds: &ttl}}
		tn.Annotations = map[string]string{"a": strings.Repeat("<", labels)}
		tn.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: strings.Repeat("m", managed)}}
		return tn
	}
	for name, c := range map[string]struct {
		old, tn *v1alpha1.TemporaryNamespace
		fits    bool
	}{
		"little":                            {full(1, 1), full(2, 2), true},
		"8,000 signs, one byte each":        {full(1, 1), full(8000, 1), true},
		"more":                              {full(1, 1), full(8200, 1), false},
		"many managers":                     {full(1, 1), full(2, 16500), false},
		"full, and one manager more":        {full(8000, 8000), full(8000, 9000), true},
		"full, and managers without an end": {full(8000, 8000), full(8000, 13000), false},
		"too full, and the spec alone":      {full(30000, 1), full(30000, 1), true},
		"too full, and less of it":          {full(30000, 1), full(25000, 1), true},
		"too full, and more of it":          {full(30000, 1), full(30001, 1), false},
		"too full, and another manager":     {full(30000, 1), full(30000, 2), false},
	} {
		ns := sampleNamespace("tmp-a", func(ns *corev1.Namespace) {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(clientMeta{Annotations: c.old.Annotations, ManagedFields: c.old.ManagedFields}); err != nil {
				t.Fatal(err)
			}
			ns.Annotations[v1alpha1.AnnotationObject] = strings.TrimSpace(b.String())
		})
		if err := encode(ns, c.tn, c.old); (err == nil) != c.fits ||
			err != nil && !apierrors.IsRequestEntityTooLargeError(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With a selector, the client receives ADDED for an object that begins to match, and
// DELETED for one that no longer matches.
func TestWatchFilter(t *testing.T) {
	byTeam, err := labels.Parse("team=a")
	if err != nil {
		t.Fatal(err)
	}
	team := func(name, team string) *corev1.Namespace {
		return sampleNamespace(name, func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationObject] = `{"labels":{"team":"` + team + `"}}`
		})
	}
	f := &watchFilter{selector: selector{labels: byTeam, fields: fields.Everything(),
		owners: []string{v1alpha1.OwnerHash("alice")}}, has: map[string]bool{}}
	other := team("tmp-b", "a")
	other.Annotations[v1alpha1.AnnotationOwner] = "mallory" // with the same hash, as it were
	for i, step := range []struct {
		in   watch.EventType
		ns   *corev1.Namespace
		want watch.EventType // empty: nothing
	}{
		{watch.Added, team("tmp-a", "x"), ""},
		{watch.Modified, team("tmp-a", "a"), watch.Added},
		{watch.Modified, team("tmp-a", "a"), watch.Modified},
		{watch.Modified, team("tmp-a", "x"), watch.Deleted},
		{watch.Modified, team("tmp-a", "x"), ""},
		{watch.Deleted, team("tmp-a", "x"), ""},
		{watch.Added, team("tmp-c", "a"), watch.Added},
		{watch.Deleted, team("tmp-c", "a"), watch.Deleted},
		{watch.Added, other, ""},
	} {
		out, pass := f.translate(watch.Event{Type: step.in, Object: step.ns})
		if pass != (step.want != "") || pass && out.Type != step.want {
			t.Errorf("step %d: got %v %s, want %q", i, pass, out.Type, step.want)
		}
	}
	bookmark := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "9",
		Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	out, pass := f.translate(watch.Event{Type: watch.Bookmark, Object: bookmark})
	tn, ok := out.Object.(*v1alpha1.TemporaryNamespace)
	if !pass || !ok || tn.ResourceVersion != "9" || tn.Annotations[metav1.InitialEventsAnnotationKey] != "true" ||
		tn.Kind != "TemporaryNamespace" {
		t.Errorf("bookmark: got %+v", out.Object)
	}
}

// The words must make valid names, all of them, and be many.
func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for _, list := range []string{adjectives, nouns} {
		words := strings.Fields(list)
		for _, w := range words {
			if len(w) > 9 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
				t.Errorf("%q", w)
			}
		}
		if len(words) < 120 {
			t.Errorf("only %d words", len(words))
		}
	}
	for i := range 1000 {
		seen[words([]byte{byte(i), byte(i >> 8), byte(7 * i), byte(i >> 4)})] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different names of 1000", len(seen))
	}
}
