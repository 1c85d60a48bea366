// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// A namespace must be usable and complete at the moment create returns.
func TestCreateReturnsUsable(t *testing.T) {
	alice, kube := user(t, "alice"), shared.Client("alice")
	for i := range 10 {
		tn := borrow(t, alice, unique("usable"), time.Hour)
		if _, err := kube.CoreV1().ConfigMaps(tn.Name).
			Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}},
				metav1.CreateOptions{}); err != nil {
			t.Errorf("namespace %d: the owner's first write: %v", i, err)
		}
		if err := complete(t.Context(), admin(), tn.Name, "alice"); err != nil {
			t.Errorf("namespace %d: %v", i, err)
		}
		if tn.Status.Phase != v1alpha1.PhaseReady || tn.Status.Owner != "alice" || tn.Spec.ClassName != "default" {
			t.Errorf("got %+v", tn)
		}
		if got := tn.Status.ExpirationTimestamp.Sub(tn.CreationTimestamp.Time); got != time.Hour {
			t.Errorf("it expires after %s, want 1h", got)
		}
		if ns := namespace(t, admin(), tn.Name); tn.UID == ns.UID {
			t.Error("the UID is that of the Namespace, which breaks the garbage collector")
		} else if ns.Labels["pod-security.kubernetes.io/enforce"] != "baseline" {
			t.Errorf("pod security is %q", ns.Labels["pod-security.kubernetes.io/enforce"])
		}
		list, err := alice.List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + tn.Name})
		if err != nil || len(list.Items) != 1 || list.Items[0].ResourceVersion != tn.ResourceVersion {
			t.Errorf("a list directly after the creation returns %v (%v)", list.Items, err)
		}
	}
}

func allNamespaces(t *testing.T) []corev1.Namespace {
	t.Helper()
	list, err := admin().CoreV1().Namespaces().
		List(t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"})
	if err != nil {
		t.Fatal(err)
	}
	var live []corev1.Namespace
	for _, ns := range list.Items {
		if ns.DeletionTimestamp == nil {
			live = append(live, ns)
		}
	}
	return live
}

func TestDryRunCreatesNothing(t *testing.T) {
	alice := user(t, "alice")
	name := unique("dry")
	tn, err := alice.Create(t.Context(), tns(name, time.Hour), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil || tn.Spec.ClassName != "default" {
		t.Fatalf("got %v, %v", tn, err)
	}
	if _, err := alice.Get(t.Context(), name); reason(err) != metav1.StatusReasonNotFound {
		t.Errorf("a dry run created it: %v", err)
	}
	tn = borrow(t, alice, name, time.Hour)
	until := func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time {
		return tn.Status.ExpirationTimestamp.Add(time.Hour)
	}
	if _, _, err := alice.Extend(t.Context(), name, until, "",
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Delete(t.Context(), name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	now, err := alice.Get(t.Context(), name)
	if err != nil || now.ResourceVersion != tn.ResourceVersion {
		t.Errorf("a dry run changed it: %v (%v)", now, err)
	}
}

// No write may make the expiry earlier, or exceed the longest lifetime.
func TestExpiryNeverMovesBack(t *testing.T) {
	alice := user(t, "alice")
	tn := borrow(t, alice, unique("move"), time.Hour)
	patch := func(spec string) error {
		out, err := shared.Kubectl("alice", "patch", "tns", tn.Name, "--type=merge", "-p", `{"spec":`+spec+`}`)
		if err != nil {
			return fmt.Errorf("%s", out)
		}
		return nil
	}
	at := func(d time.Duration) string {
		b, _ := json.Marshal(tn.CreationTimestamp.Add(d).UTC().Format(time.RFC3339))
		return string(b)
	}
	for _, step := range []struct{ spec, refused string }{
		{`{"ttlSeconds":1800}`, "must not be lower than 3600"},
		{`{"ttlSeconds":604801}`, "must be at most 604800"},
		{`{"ttlSeconds":7200}`, ""},
		{`{"extendUntil":` + at(3*time.Hour) + `}`, ""},
		{`{"extendUntil":` + at(150*time.Minute) + `}`, "must not be earlier than"},
		{`{"extendUntil":null}`, ""}, // an omitted field stays
		{`{"extendUntil":` + at(149*time.Minute) + `}`, "must not be earlier than"},
		// Once stored, it could not be read, and the namespace would never expire.
		{`{"extendUntil":"0000-01-01T00:00:00+23:00"}`, "must not be before the creation"},
		{`{"extendUntil":` + at(8*24*time.Hour) + `}`, "must not be after"},
		{`{"extendUntil":` + at(7*24*time.Hour) + `}`, ""},
		{`{"className":"other"}`, "is immutable"},
	} {
		err := patch(step.spec)
		if step.refused == "" && err != nil ||
			step.refused != "" && (err == nil || !strings.Contains(err.Error(), step.refused)) {
			t.Errorf("%s: got %v, want %q", step.spec, err, step.refused)
		}
	}
	fresh := borrow(t, alice, unique("move"), time.Hour)
	if out, err := shared.Kubectl("alice", "patch", "tns", fresh.Name, "--type=merge", "-p",
		`{"spec":{"extendUntil":"0000-01-01T00:00:00+23:00"}}`); err == nil {
		t.Errorf("an extension into the year -1: %s", out)
	}
	now, err := alice.Get(t.Context(), tn.Name)
	if err != nil || !now.Status.ExpirationTimestamp.Equal(now.Status.MaximumExpirationTimestamp) {
		t.Errorf("got %+v, %v", now, err)
	}
}

// Namespaces of others must look absent, for every verb; an administrator must see all.
func TestUsersSeeOnlyTheirOwn(t *testing.T) {
	bob := user(t, "bob")
	tn := borrow(t, user(t, "alice"), unique("secret"), time.Hour)
	_, err := bob.Get(t.Context(), tn.Name)
	_, _, xerr := bob.Extend(t.Context(), tn.Name, func(*v1alpha1.TemporaryNamespace, time.Time) time.Time {
		return time.Now().Add(2 * time.Hour)
	}, "", metav1.PatchOptions{})
	_, derr := bob.Delete(t.Context(), tn.Name, metav1.DeleteOptions{})
	for verb, err := range map[string]error{"get": err, "extend": xerr, "delete": derr} {
		if reason(err) != metav1.StatusReasonNotFound {
			t.Errorf("%s: got %v, want NotFound", verb, err)
		}
	}
	// The answers for absent namespaces and for those of others must be identical.
	if _, absent := bob.Get(t.Context(), "tmp-absent"); strings.Replace(absent.Error(), "tmp-absent", tn.Name,
		1) != err.Error() {
		t.Errorf("absent: %q; another user's: %q", absent, err)
	}
	for _, o := range []metav1.ListOptions{
		{}, {FieldSelector: "metadata.name=" + tn.Name}, {FieldSelector: "status.owner=alice"},
	} {
		list, err := bob.List(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			if item.Status.Owner != "bob" {
				t.Errorf("bob's list contains %s of %s", item.Name, item.Status.Owner)
			}
		}
	}
	list, err := user(t, "admin").List(t.Context(), metav1.ListOptions{FieldSelector: "status.owner=alice"})
	if err != nil || !has(list, tn.Name) {
		t.Errorf("the administrator does not see %s: %v", tn.Name, err)
	}
}

func has(list *v1alpha1.TemporaryNamespaceList, name string) bool {
	for _, item := range list.Items {
		if item.Name == name {
			return true
		}
	}
	return false
}

// A namespace whose expiry cannot be read must be kept.
func TestUnreadableExpiry(t *testing.T) {
	t.Parallel()
	alice := user(t, "alice")
	tn := borrow(t, alice, unique("kept"), 30*time.Second)
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"soon"}}}`, v1alpha1.AnnotationTTL)
	if _, err := admin().CoreV1().Namespaces().
		Patch(t.Context(), tn.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(32 * time.Second) // longer than the TTL
	now, err := alice.Get(t.Context(), tn.Name)
	if err != nil || now.DeletionTimestamp != nil || now.Status.ExpirationTimestamp != nil {
		t.Errorf("got %+v, %v", now, err)
	}
}

// The limit range must let a pod without requests pass the quota.
func TestPodsWithoutRequests(t *testing.T) {
	tn := borrow(t, user(t, "alice"), unique("pods"), time.Hour)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "c", Image: "example.test/c"}},
		},
	}
	kube := shared.Client("alice")
	var out *corev1.Pod
	err := testenv.Eventually(60*time.Second, func() (err error) {
		out, err = kube.CoreV1().Pods(tn.Name).Create(t.Context(), pod, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]; got.Cmp(resource.MustParse("50m")) != 0 {
		t.Errorf("the request is %s, want the class's 50m", got.String())
	}
	pod.Name, pod.Spec.HostNetwork = "host", true
	if _, err := kube.CoreV1().Pods(tn.Name).Create(t.Context(), pod, metav1.CreateOptions{}); err == nil ||
		!strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("a pod on the host's network: got %v, want it refused by pod security", err)
	}
}
