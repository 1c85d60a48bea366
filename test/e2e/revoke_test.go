// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// A pod that cannot end keeps the bindings and secrets of a namespace in place. The owner,
// the users who share the namespace, and its accounts must lose their access all the
// same; living namespaces must keep theirs; and the namespace must be usable when it is
// lent again under its name.
func TestHardEnd(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	metrics := free(t)
	start(t, c, port, "broker-0", "--revoke-access-after=10s", fmt.Sprintf("--metrics-address=127.0.0.1:%d", metrics))
	second, err := c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1),
		"--revoke-access-after=10s") // does the same at the same time
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	alice := as(t, c.Config("alice"))
	do := func(who, stdin string, args ...string) string {
		t.Helper()
		out, err := c.KubectlIn(who, stdin, args...)
		if err != nil {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
		}
		return strings.TrimSpace(out)
	}
	for _, name := range []string{"tmp-hangs", "tmp-lives"} {
		if _, err := alice.Create(ctx, tns(name, time.Hour), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		do("alice", "", "-n", name, "create", "secret", "generic", "s", "--from-literal=a=b")
		do("alice", "", "-n", name, "create", "serviceaccount", "robot")
		do("alice", "", "-n", name, "create", "rolebinding", "robot", "--clusterrole=edit", "--serviceaccount="+name+":robot")
		do("alice", "", "-n", name, "create", "rolebinding", "bob", "--clusterrole=edit", "--user=bob")
		// The pod has no node, and a controller that does not exist is to remove its finalizer.
		do("alice", "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: c}]}}", "-n", name,
			"create", "-f", "-")
		do("admin", "", "-n", name, "patch", "pod", "p", "--type=merge", "-p", `{"metadata":{"finalizers":["x.test/x"]}}`)
	}
	robot := func(ns string) *kubernetes.Clientset {
		token, err := c.Client("alice").CoreV1().ServiceAccounts(ns).CreateToken(ctx, "robot",
			&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		config := rest.AnonymousClientConfig(c.Config("alice"))
		config.BearerToken = token.Status.Token
		return kubernetes.NewForConfigOrDie(config)
	}
	users := func(ns string) map[string]*kubernetes.Clientset {
		return map[string]*kubernetes.Clientset{"alice": c.Client("alice"), "bob": c.Client("bob"), "robot": robot(ns)}
	}
	hanging, living := users("tmp-hangs"), users("tmp-lives")
	reads := func(who *kubernetes.Clientset, ns string) error {
		_, err := who.CoreV1().Secrets(ns).Get(ctx, "s", metav1.GetOptions{})
		return err
	}
	if _, err := alice.Delete(ctx, "tmp-hangs", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, who := range hanging {
		if err := testenv.Eventually(time.Minute, func() error {
			if err := reads(who, "tmp-hangs"); !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
				return fmt.Errorf("reads a secret of a namespace whose deletion hangs: %v", err)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := reads(living[name], "tmp-lives"); err != nil {
			t.Errorf("%s lost the access to a living namespace: %v", name, err)
		}
	}
	if err := testenv.Eventually(time.Minute, func() error {
		got := do("admin", "", "-n", "tmp-hangs", "get", "rolebindings,serviceaccounts", "-o", "name")
		if got != "rolebinding.rbac.authorization.k8s.io/tenama:broker" {
			return errOf(got)
		}
		return nil
	}); err != nil {
		t.Errorf("there remain %v, want the broker's binding", err)
	}
	if err := testenv.Eventually(time.Minute, func() error {
		tn, err := alice.Get(ctx, "tmp-hangs")
		if err != nil {
			return err
		}
		for _, cond := range tn.Status.Conditions {
			if cond.Type == v1alpha1.ConditionAccessRevoked && cond.Reason == v1alpha1.ReasonDeletionOverdue {
				return nil
			}
		}
		return fmt.Errorf("no condition says that the access was revoked: %v", tn.Status.Conditions)
	}); err != nil {
		t.Error(err)
	}
	if _, body := probe(t, metrics, "/metrics"); !strings.Contains(body, "\ntenama_deletions_overdue 1\n") {
		t.Error("/metrics does not count the deletion that hangs")
	}

	if err := logged(second, `"msg":"Reconcile failed; retrying"`, 1); err == nil {
		t.Error("the second replica failed at what the first one did")
	}

	// The plugin says what hangs, with the rights of its user; it calls a deletion slow after
	// a minute.
	for who, want := range map[string]string{
		"alice": "ask an administrator to run: kubectl tenama doctor tmp-hangs",
		"admin": "pods remain: p (finalizer x.test/x)",
	} {
		sh := newShell(t, c, who)
		if err := testenv.Eventually(2*time.Minute, func() error {
			if out, errs, code := sh.run("doctor", "tmp-hangs"); code != 1 || !strings.Contains(out, want) {
				return fmt.Errorf("exit code %d, %s%s", code, out, errs)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: doctor does not say %q: %v", who, want, err)
		}
	}

	// An administrator lets it go. What hangs in a namespace of the same name says nothing
	// about the next one.
	do("admin", "", "-n", "tmp-hangs", "patch", "pod", "p", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	if err := testenv.Eventually(2*time.Minute, func() error {
		_, err := alice.Create(ctx, tns("tmp-hangs", time.Hour), metav1.CreateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(12 * time.Second) // longer than --revoke-access-after
	if _, err := c.Client("alice").CoreV1().Secrets("tmp-hangs").List(ctx, metav1.ListOptions{}); err != nil {
		t.Errorf("the owner of the next namespace with that name: %v", err)
	}
	if _, body := probe(t, metrics, "/metrics"); !strings.Contains(body, "\ntenama_deletions_overdue 0\n") {
		t.Error("/metrics still counts a deletion that has finished")
	}
}
