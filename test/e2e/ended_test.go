// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/test/bed"
)

// A namespace that ends while it is being made, by a short TTL on a slow cluster or by
// an administrator, takes the broker's rights in it along. Its owner is told that it is
// being deleted, not that the broker is at fault.
func TestEndedWhileItIsMade(t *testing.T) {
	t.Parallel() // with a control plane of its own, and much waiting
	ctx := t.Context()
	c, port, proxy, kubeconfig := proxied(t)
	start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
	breaks := &breaker{plans: map[string]*plan{}}
	proxy.Break(breaks.decide)
	kube, alice := kubernetesFor(t, c.Config("admin")), as(t, c.Config("alice"))

	const name = "tmp-f-ended"
	breaks.plan(name, call{"POST /api/v1/namespaces/NAME/limitranges", 1}, bed.Fault{Hang: 14 * time.Second, Pass: true}, 1)
	answer := make(chan error, 1)
	go func() {
		_, err := alice.Create(ctx, tns(name, time.Hour), metav1.CreateOptions{})
		answer <- err
	}()
	if err := bed.Eventually(60*time.Second, func() error {
		if breaks.done(name).fired == 0 {
			return errors.New("the call has not come yet")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := <-answer
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "it is being deleted") {
		t.Errorf("got %v, want a Conflict", err)
	}
	if _, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("got %v, want it gone before the broker went on: else this tries nothing", err)
	}
}
