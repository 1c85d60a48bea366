// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/testenv"
)

// Access must end with the namespace: an old token must not work, even after another
// user reuses the name.
func TestTokenAfterExpiry(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	name := unique("token")
	alice := user(t, "alice")
	tn := borrow(t, alice, name, time.Hour)
	for _, args := range [][]string{
		{"create", "serviceaccount", "ci"}, {
			"create", "rolebinding", "ci", "--clusterrole=edit", "--serviceaccount=" + name + ":ci",
		},
	} {
		if out, err := shared.Kubectl("alice", append([]string{"-n", name}, args...)...); err != nil {
			t.Fatal(out)
		}
	}
	path, err := shared.ServiceAccountKubeconfig(ctx, name, "ci")
	if err != nil {
		t.Fatal(err)
	}
	ci := kubernetesFor(t, loadConfig(t, path))
	read := func() error {
		_, err := ci.CoreV1().Pods(name).List(ctx, metav1.ListOptions{})
		return err
	}
	if err := testenv.Eventually(60*time.Second, read); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := alice.WaitGone(ctx, name, tn.UID); err != nil {
		t.Fatal(err)
	}
	if err := read(); !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		t.Errorf("the token still works after the deletion: %v", err)
	}
	// Carol takes the name as soon as possible, and gives access to an account of that
	// name.
	carol := user(t, "carol")
	gone := time.Now()
	for {
		if _, err = carol.Create(ctx, tns(name, time.Hour), metav1.CreateOptions{}); !apierrors.IsConflict(err) ||
			time.Since(gone) > 60*time.Second {
			break
		}
		if err := read(); err == nil {
			t.Fatal("the token still works")
		}
		time.Sleep(300 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("another owner got the name after %.0f s", time.Since(gone).Seconds())
	for _, args := range [][]string{
		{"create", "serviceaccount", "ci"}, {
			"create", "rolebinding", "ci", "--clusterrole=edit", "--serviceaccount=" + name + ":ci",
		},
	} {
		if out, err := shared.Kubectl("carol", append([]string{"-n", name}, args...)...); err != nil {
			t.Fatal(out)
		}
	}
	for range 20 {
		if err := read(); !apierrors.IsUnauthorized(err) {
			t.Fatalf("a token of the previous tenant in the new namespace: got %v, want Unauthorized", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
