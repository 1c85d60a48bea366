// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/test/testenv"
)

// Guard rails that a user with more rights changed must be restored, reported in an
// event, and counted; objects of others, and objects released to them, must stay.
func TestDrift(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	health, metrics := free(t), free(t)
	start(t, c, port, "broker-0", "--inspect-interval=500ms", fmt.Sprintf("--health-address=127.0.0.1:%d", health),
		fmt.Sprintf("--metrics-address=127.0.0.1:%d", metrics))
	k := kubernetesFor(t, c.Config("admin"))
	const ns = "tmp-drift"
	if _, err := as(t, c.Config("alice")).Create(ctx, tns(ns, time.Hour), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) {
		t.Helper()
		if out, err := c.Kubectl("admin", append([]string{"-n", ns}, args...)...); err != nil {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
		}
	}
	field := func(kind, name, path string) string {
		out, err := c.Kubectl("admin", "-n", ns, "get", kind, name, "-o", "jsonpath="+path)
		if err != nil {
			return err.Error() + out
		}
		return out
	}
	const tenama = "tenama"
	for _, d := range []struct {
		name  string
		do    func()
		kind  string
		event string
		want  func() error
	}{
		{"a quota is raised", func() {
			do("label", "resourcequota", tenama, "kustomize.toolkit.fluxcd.io/name=apps")
			do("annotate", "resourcequota", tenama, "argocd.argoproj.io/tracking-id=x")
			do("patch", "resourcequota", tenama, "--type=merge", "-p", `{"spec":{"hard":{"pods":"500","count/endpoints":"7"}}}`)
		}, "ResourceQuota", `ResourceQuota "tenama" was changed in spec.hard[pods]`, func() error {
			if got := field("resourcequota", tenama,
				`{.spec.hard.pods} {.spec.hard.count/endpoints} {.metadata.labels.kustomize\.toolkit\.fluxcd\.io/name} `+
					`{.metadata.annotations.argocd\.argoproj\.io/tracking-id}`); got != "50 7 apps x" {
				return errOf(got)
			}
			return nil
		}},
		{"a quota is deleted", func() { do("delete", "resourcequota", tenama) }, "ResourceQuota",
			`ResourceQuota "tenama" was missing`, func() error {
				if got := field("resourcequota", tenama,
					`{.spec.hard.pods} {.metadata.labels.tenama\.dev/managed}`); got != "50 true" {
					return errOf(got)
				}
				return nil
			}},
		{"a limit range is deleted", func() { do("delete", "limitrange", tenama) }, "LimitRange",
			`LimitRange "tenama" was missing`, func() error {
				if got := field("limitrange", tenama, `{.spec.limits[0].max.cpu}`); got != "4" {
					return errOf(got)
				}
				return nil
			}},
		{"a limit range is loosened", func() {
			do("patch", "limitrange", tenama, "--type=merge", "-p",
				`{"spec":{"limits":[{"type":"Container","default":{"cpu":"64","memory":"512Mi"}}]}}`)
		}, "LimitRange", `LimitRange "tenama" was changed in spec.limits`, func() error {
			if got := field("limitrange", tenama, `{.spec.limits[0].max.cpu}`); got != "4" {
				return errOf(got)
			}
			return nil
		}},
		{"the network is opened", func() {
			do("patch", "networkpolicy", tenama, "--type=json", "-p", `[{"op":"add","path":"/spec/ingress/-","value":{}}]`)
		}, "NetworkPolicy", `NetworkPolicy "tenama" was changed in spec`, func() error {
			if got := field("networkpolicy", tenama, `{.spec.ingress}`); got != `[{"from":[{"podSelector":{}},`+
				`{"namespaceSelector":{"matchLabels":{"policy.tenama.dev/ingress-controller":"true"}}}]}]` {
				return errOf(got)
			}
			return nil
		}},
		{"pod security is lifted", func() {
			do("label", "--overwrite", "namespace", ns, "pod-security.kubernetes.io/enforce=privileged")
		}, "Namespace", `Namespace "tmp-drift" was changed in metadata.labels[pod-security.kubernetes.io/enforce]`,
			func() error {
				if got := field("namespace", ns, `{.metadata.labels.pod-security\.kubernetes\.io/enforce}`); got != "baseline" {
					return errOf(got)
				}
				return nil
			}},
		{"the broker's binding is deleted", func() { do("delete", "rolebinding", "tenama:broker") }, "RoleBinding",
			`RoleBinding "tenama:broker" was missing`, func() error {
				if got := field("rolebinding", "tenama:broker", `{.roleRef.name}`); got != "tenama:namespace-manager" {
					return errOf(got)
				}
				return nil
			}},
	} {
		t.Run(d.name, func(t *testing.T) {
			d.do()
			if err := testenv.Eventually(60*time.Second, d.want); err != nil {
				t.Errorf("not restored: %v", err)
			}
			if err := testenv.Eventually(60*time.Second,
				func() error { return told(ctx, k, ns, "GuardRailRestored", d.event) }); err != nil {
				t.Error(err)
			}
			counted := regexp.MustCompile(`tenama_guard_rail_drift_total\{became="restored",kind="` + d.kind +
				`",was="\w+"\} [1-9]`)
			if _, body := probe(t, metrics, "/metrics"); !counted.MatchString(body) {
				t.Error("/metrics does not count the repair")
			}
		})
	}

	t.Run("objects without the label stay", func(t *testing.T) {
		do("label", "resourcequota", tenama, "tenama.dev/managed-")
		do("patch", "resourcequota", tenama, "--type=merge", "-p", `{"spec":{"hard":{"pods":"200"}}}`)
		do("delete", "rolebinding", "tenama:owner")
		if err := testenv.Eventually(60*time.Second, func() error {
			if _, body := probe(t, metrics, "/metrics"); !strings.Contains(body, `became="released",kind="ResourceQuota"`) {
				return errOf("/metrics does not count the released object")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second) // several rounds
		if got := field("resourcequota", tenama, "{.spec.hard.pods}"); got != "200" {
			t.Errorf("the quota without the label was changed: pods %s", got)
		}
		if got := field("rolebinding", "tenama:owner", "{.metadata.name}"); !strings.Contains(got, "NotFound") {
			t.Errorf("the owner's access, which an administrator removed, was restored: %s", got)
		}
		do("delete", "resourcequota", tenama) // from here on the broker's again
		if err := testenv.Eventually(60*time.Second, func() error {
			if got := field("resourcequota", tenama, "{.spec.hard.pods}"); got != "50" {
				return errOf(got)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})

	t.Run("a namespace whose owner has no access is not ready", func(t *testing.T) {
		phase := func(want string) {
			t.Helper()
			if err := testenv.Eventually(60*time.Second, func() error {
				if got := field("tns", ns, `{.status.phase} {.status.conditions[?(@.type=="Ready")].reason}`); got != want {
					return errOf(got)
				}
				return nil
			}); err != nil {
				t.Errorf("want %q: %v", want, err)
			}
		}
		phase("NoAccess OwnerAccessMissing") // its binding was deleted above
		if _, errs, code := newShell(t, c, "alice").run("create", ns, "--if-not-exists"); code != 1 ||
			!strings.Contains(errs, "have no access to it") {
			t.Errorf("create --if-not-exists: exit code %d, %s", code, errs)
		}
		do("create", "rolebinding", "tenama:owner", "--clusterrole=admin", "--user=alice")
		phase("Ready Provisioned")
	})

	t.Run("a namespace keeps the content of its class revision", func(t *testing.T) {
		if out, err := c.Kubectl("admin", "patch", "namespaceclass", "default", "--type=json", "-p",
			`[{"op":"replace","path":"/spec/objects/0/spec/hard/pods","value":"1"}]`); err != nil {
			t.Fatal(out)
		}
		do("patch", "resourcequota", tenama, "--type=merge", "-p", `{"spec":{"hard":{"pods":"500"}}}`)
		if err := testenv.Eventually(60*time.Second, func() error {
			if got := field("resourcequota", tenama, "{.spec.hard.pods}"); got != "50" {
				return errOf(got)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		// Without drift, the broker writes nothing, once the quota controller has written its status.
		if err := testenv.Eventually(time.Minute, func() error {
			before := field("resourcequota,limitrange,networkpolicy", tenama, "{.items[*].metadata.resourceVersion}")
			time.Sleep(2 * time.Second)
			after := field("resourcequota,limitrange,networkpolicy", tenama, "{.items[*].metadata.resourceVersion}")
			if after != before {
				return fmt.Errorf("resourceVersion %s, then %s", before, after)
			}
			return nil
		}); err != nil {
			t.Errorf("the broker keeps writing without drift: %v", err)
		}
	})

	t.Run("a repair that fails is reported", func(t *testing.T) {
		quota, err := k.CoreV1().ResourceQuotas(ns).Get(ctx, tenama, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// Scopes cannot be changed; a quota for best-effort pods counts none of these
		// pods.
		if err := k.CoreV1().ResourceQuotas(ns).Delete(ctx, tenama, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		scoped := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: tenama, Labels: quota.Labels},
			Spec: corev1.ResourceQuotaSpec{
				Hard:   corev1.ResourceList{"pods": quota.Spec.Hard["pods"]},
				Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort},
			}}
		err = testenv.Eventually(60*time.Second, func() error {
			_, err := k.CoreV1().ResourceQuotas(ns).Create(ctx, scoped, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) { // the broker was faster
				_ = k.CoreV1().ResourceQuotas(ns).Delete(ctx, tenama, metav1.DeleteOptions{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := testenv.Eventually(60*time.Second, func() error {
			return told(ctx, k, ns, "GuardRailDiffers", "and cannot be restored")
		}); err != nil {
			t.Error(err)
		}
	})
	if status, _ := probe(t, health, "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d", status)
	}
}

// told returns an error unless an Event of the namespace contains message.
func told(ctx context.Context, k kubernetes.Interface, ns, reason, message string) error {
	events, err := k.CoreV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=" + reason})
	if err != nil {
		return err
	}
	var said []string
	for _, e := range events.Items {
		if strings.Contains(e.Message, message) && e.ReportingController == "tenama.dev/broker" &&
			e.InvolvedObject.Namespace == ns {
			return nil
		}
		said = append(said, e.Message)
	}
	return fmt.Errorf("no event %s contains %q, only %q", reason, message, said)
}
