// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/broker/events"
	"tenama.dev/tenama/pkg/broker/guardrails"
)

// oneClass is a Classes with a single class.
type oneClass policyv1alpha1.NamespaceClass

func (c *oneClass) Refuse(context.Context, *policyv1alpha1.NamespaceClass, string, error) *field.Error {
	return nil
}

func (c *oneClass) Class(context.Context, string) (*policyv1alpha1.NamespaceClass, error) {
	return (*policyv1alpha1.NamespaceClass)(c), nil
}

// quotaClass returns a class with a quota whose size is a parameter.
func quotaClass(revision string) *oneClass {
	two := "2"
	return &oneClass{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: policyv1alpha1.NamespaceClassSpec{
			Parameters: []policyv1alpha1.Parameter{{Name: "cpu", Values: []string{"2", "4"}, Default: &two}},
			Objects: []runtime.RawExtension{{Raw: []byte(`{"apiVersion":"v1","kind":"ResourceQuota",` +
				`"metadata":{"name":"q","annotations":{"for":"$(owner) in $(namespace)"}},` +
				`"spec":{"hard":{"requests.cpu":"$(cpu)"}}}`)}},
		},
		Status: policyv1alpha1.NamespaceClassStatus{Revision: revision},
	}
}

// Objects of a class must have the values of their own namespace: those of another
// would lend it the wrong quota. The recorded form must be what was decoded, because
// inspections compare the namespace with it.
func TestRender(t *testing.T) {
	m := &Manager{GuardRails: &guardrails.Client{}}
	ns := sampleNamespace(func(ns *corev1.Namespace) { ns.Annotations[v1alpha1.AnnotationParameters] = `{"cpu":"4"}` })
	got, err := m.Render((*policyv1alpha1.NamespaceClass)(quotaClass("1")), Values(ns))
	if err != nil {
		t.Fatal(err)
	}
	quota := got.Objects[0].(*corev1.ResourceQuota)
	if cpu := quota.Spec.Hard[corev1.ResourceRequestsCPU]; cpu.String() != "4" {
		t.Errorf("the quota is %s, want 4", cpu.String())
	}
	if quota.Annotations["for"] != "alice in tmp-a" {
		t.Errorf("the annotation is %q", quota.Annotations["for"])
	}
	var recorded corev1.ResourceQuota
	if err := json.Unmarshal(got.Raw[0].Raw, &recorded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(quota.Spec, recorded.Spec); diff != "" {
		t.Errorf("the record differs (-decoded +recorded):\n%s", diff)
	}
	broken := quotaClass("1")
	broken.Spec.Objects[0].Raw = []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}`)
	if _, err := m.Render((*policyv1alpha1.NamespaceClass)(broken), Values(ns)); err == nil ||
		!strings.Contains(err.Error(), `decode class "default"`) {
		t.Errorf("a Secret in a class: got %v", err)
	}
}

// The objects of a class may replace a lost record only while the class is the one that
// the namespace was created from: a later revision would change what the owner has.
func TestFromClass(t *testing.T) {
	for name, c := range map[string]struct{ revision, parameters, want string }{
		"the same revision":            {"1", `{"cpu":"4"}`, ""},
		"a later revision":             {"2", `{"cpu":"4"}`, "has changed since"},
		"a value that is gone from it": {"1", `{"cpu":"8"}`, "cpu"},
	} {
		ns := sampleNamespace(func(ns *corev1.Namespace) {
			ns.Annotations[v1alpha1.AnnotationClassRevision] = "1"
			ns.Annotations[v1alpha1.AnnotationParameters] = c.parameters
		})
		m := &Manager{Classes: quotaClass(c.revision), Client: fake.NewClientset(ns.DeepCopy())}
		delete(ns.Annotations, v1alpha1.AnnotationParameters) // the cache does not hold them
		objs, err := m.fromClass(t.Context(), ns)
		if c.want == "" && (err != nil || len(objs) != 1 || !strings.Contains(string(objs[0].Raw), `"4"`)) ||
			c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %s, %v, want %q", name, objs, err, c.want)
		}
	}
}

// A pod security level that was lowered must come back, and nothing else about the
// namespace may change: neither what the cache does not hold, nor what is written
// meanwhile. Without a record of the level there is nothing to restore.
func TestInspectPodSecurity(t *testing.T) {
	for name, c := range map[string]struct {
		recorded, label string
		conflicts       bool
		reports         int
	}{
		"as recorded":       {"restricted", "restricted", false, 0},
		"lowered":           {"restricted", "privileged", false, 1},
		"removed":           {"baseline", "", false, 1},
		"without a record":  {"", "privileged", false, 0},
		"written meanwhile": {"restricted", "privileged", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			ns := sampleNamespace(func(ns *corev1.Namespace) {
				if c.label != "" {
					ns.Labels[v1alpha1.LabelPodSecurity] = c.label
				}
				if c.recorded != "" {
					ns.Annotations[v1alpha1.AnnotationPodSecurity] = c.recorded
				}
			})
			whole := ns.DeepCopy()
			whole.Annotations[v1alpha1.AnnotationObject] = "what the owner wrote"
			want := whole.DeepCopy()
			if c.reports > 0 {
				want.Labels[v1alpha1.LabelPodSecurity] = c.recorded
			}
			client := fake.NewClientset(whole)
			if c.conflicts {
				client.PrependReactor("update", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
					now := c.conflicts
					c.conflicts = false
					return now, nil, apierrors.NewConflict(namespaces, "tmp-a", nil)
				})
			}
			var reports []string
			m := &Manager{Client: client, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
			m.Events = &events.Recorder{Client: client, Now: time.Now, Log: m.Log, Retry: guardrails.RetryForbidden}
			m.Drifted = func(kind, was, became string) {
				reports = append(reports, kind+" "+was+" "+became)
			}
			if err := m.inspectPodSecurity(t.Context(), ns); err != nil {
				t.Fatal(err)
			}
			now, err := client.CoreV1().Namespaces().Get(t.Context(), "tmp-a", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.ObjectMeta, now.ObjectMeta); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(reports) != c.reports || c.reports > 0 && reports[0] != "Namespace changed restored" {
				t.Errorf("reported %q, want %d", reports, c.reports)
			}
		})
	}
}
