// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// What an administrator holds is evidence: neither the expiry nor its owner nor another
// administrator may end it, and its owner has to see why it stays.
func TestHold(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	alice, root, bob := user(t, "alice"), user(t, "admin"), user(t, "bob")
	labels := map[string]string{"hold": unique("label")}
	other := tns(unique("loose"), time.Hour)
	other.Labels = labels
	if _, err := alice.Create(ctx, other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tn := tns(unique("held"), 30*time.Second)
	tn.Labels = labels
	tn, err := alice.Create(ctx, tn, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Hold(ctx, tn, "mine"); !client.IsGone(err) {
		t.Errorf("another user's hold: %v", err)
	}
	if err := alice.Hold(ctx, tn, "mine"); !apierrors.IsForbidden(err) {
		t.Errorf("the owner's hold: %v", err)
	}
	if err := root.Hold(ctx, tn, "incident 4711"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = shared.Kubectl("admin", "annotate", "namespace", tn.Name, "tenama.dev/hold-", "tenama.dev/held-by-",
			"tenama.dev/held-since-")
	})
	now, err := alice.Get(ctx, tn.Name)
	if err != nil {
		t.Fatal(err)
	}
	cond := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionOnHold)
	if cond == nil || !strings.Contains(cond.Message, "incident 4711") ||
		time.Since(cond.LastTransitionTime.Time) > time.Hour {
		t.Errorf("its owner sees %v", cond)
	}
	if _, err := alice.Delete(ctx, tn.Name, metav1.DeleteOptions{}); !apierrors.IsConflict(err) ||
		!apierrors.HasStatusCause(err, v1alpha1.CauseOnHold) {
		t.Errorf("its owner's deletion: %v", err)
	}
	err = alice.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "hold=" + labels["hold"]})
	if !apierrors.HasStatusCause(err, v1alpha1.CauseOnHold) {
		t.Errorf("the deletion of a collection: %v", err)
	}
	if gone, err := alice.Get(ctx, other.Name); err == nil && gone.DeletionTimestamp == nil {
		t.Error("what is not on hold was not deleted with the collection")
	}
	for _, args := range [][]string{{"delete", "namespace", tn.Name}, {"delete", "tns", tn.Name}} {
		if out, err := shared.Kubectl("admin", args...); err == nil || !strings.Contains(out, "incident 4711") {
			t.Errorf("kubectl %s as cluster-admin: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	until := func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time {
		return tn.Status.ExpirationTimestamp.Add(time.Second)
	}
	if _, now, err = alice.Extend(ctx, tn.Name, until, "", metav1.PatchOptions{}); err != nil {
		t.Errorf("an extension: %v", err)
	}
	time.Sleep(now.Status.ExpirationTimestamp.Sub(alice.Now()) + 3*time.Second)
	if ns := namespace(t, admin(), tn.Name); ns.DeletionTimestamp != nil {
		t.Fatalf("it expired at %s and was deleted at %s", now.Status.ExpirationTimestamp, ns.DeletionTimestamp)
	}
	if err := root.Unhold(ctx, tn); err != nil {
		t.Fatal(err)
	}
	err = testenv.Eventually(3*time.Minute, func() error {
		if _, err := alice.Get(ctx, tn.Name); !client.IsGone(err) {
			return errOf("the hold has ended, and the namespace stays")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
