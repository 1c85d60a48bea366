// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// noticed is a class whose namespaces receive notice ten seconds after their creation, if
// their TTL is an hour.
const noticed = `
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: noticed}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 86400, expiryNoticeSeconds: [3590]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: use-noticed}
rules:
- {apiGroups: [policy.tenama.dev], resources: [namespaceclasses], resourceNames: [noticed, idle], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: use-noticed}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: use-noticed}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}]
`

// Owners see what happened to their namespace, and what is about to happen, with kubectl and
// with the plugin, and each thing once, however many replicas there are.
func TestEvents(t *testing.T) {
	t.Parallel() // with its own control plane
	ctx := t.Context()
	c, port := own(t)
	apply(t, c, noticed)
	start(t, c, port, "broker-0")
	other, err := c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1))
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		return errors.Join(logged(other, `"msg":"Serving"`, 1), logged(other, `"msg":"Containment is proven`, 1))
	}); err != nil {
		t.Fatal(err)
	}
	alice, kube := as(t, c.Config("alice")), kubernetesFor(t, c.Config("alice"))
	tn := tns("tmp-noticed", 0)
	tn.Spec.ClassName, tn.Spec.TTLSeconds = "noticed", nil
	if err := testenv.Eventually(60*time.Second, func() error {
		_, err := alice.Create(ctx, tn.DeepCopy(), metav1.CreateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []struct{ reason, kind, message string }{
		{v1alpha1.EventCreated, corev1.EventTypeNormal, `Created for "alice" with class "noticed"; it expires at `},
		{v1alpha1.EventExpiresSoon, corev1.EventTypeWarning, ": kubectl tenama extend tmp-noticed"},
		{v1alpha1.EventExtended, corev1.EventTypeNormal, ` by "alice": demo at six`},
	}
	seen := func(reason, kind, message string) error {
		list, err := kube.CoreV1().Events("tmp-noticed").List(ctx, metav1.ListOptions{FieldSelector: "reason=" + reason})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Type == kind && strings.Contains(e.Message, message) && e.InvolvedObject.Kind == "Namespace" &&
				e.ReportingController == v1alpha1.EventController {
				return nil
			}
		}
		return fmt.Errorf("no %s %q among %d Events: %+v", reason, message, len(list.Items), list.Items)
	}
	for _, e := range want[:2] {
		if err := testenv.Eventually(60*time.Second, func() error { return seen(e.reason, e.kind, e.message) }); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := alice.Extend(ctx, "tmp-noticed", func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time {
		return now.Add(90 * time.Minute)
	}, "demo at six", metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		return seen(want[2].reason, want[2].kind, want[2].message)
	}); err != nil {
		t.Error(err)
	}
	list, err := kube.CoreV1().Events("tmp-noticed").List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, e := range list.Items {
		n[e.Reason]++
	}
	for _, e := range want {
		if n[e.reason] != 1 {
			t.Errorf("%d Events %s, want 1", n[e.reason], e.reason)
		}
	}
	out, errs, code := newShell(t, c, "alice").run("describe", "tmp-noticed")
	if code != 0 {
		t.Fatalf("describe: exit code %d: %s", code, errs)
	}
	for _, want := range []string{"EVENT", "Created", "ExpiresSoon", "kubectl tenama extend tmp-noticed", "demo at six"} {
		if !strings.Contains(out, want) {
			t.Errorf("describe does not show %q:\n%s", want, out)
		}
	}
	if strings.Count(out, "demo at six") > 2 { // the reason, and the history
		t.Errorf("describe repeats the extension as an Event:\n%s", out)
	}
}
