// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/test/testenv"
)

func registered(c *testenv.Cluster) bool {
	_, err := c.Kubectl("admin", "get", "apiservice", "v1alpha1.tenama.dev")
	return err == nil
}

// A registered API without a server would block the deletion of every namespace in the
// cluster. The last replica that stops must therefore delete the registration;
// namespaces that are not tenama's must stay deletable; watches must end, and no data
// may be lost.
func TestDrain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, port := own(t)
	kube := c.Client("admin")
	first := start(t, c, port, "broker-0")
	// A second replica, ready according to its EndpointSlice.
	second, err := c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Endpoints(ctx, port, "broker-0", "broker-1"); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second,
		func() error { return logged(second, `"msg":"Serving"`, 1) }); err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(); err != nil {
		t.Errorf("a replica did not stop cleanly: %v", err)
	}
	if !registered(c) {
		t.Fatal("a replica that was not the last deleted the APIService")
	}
	if err := c.Endpoints(ctx, port, "broker-0"); err != nil {
		t.Fatal(err)
	}
	alice := as(t, c.Config("alice"))
	kept, err := alice.Create(ctx, tns("tmp-kept", time.Hour), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := alice.Watch(ctx, metav1.ListOptions{ResourceVersion: kept.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	deletion(t, kube, "before")
	stopped := make(chan error, 1)
	go func() { stopped <- first.Stop() }()
	if took, blocked, err := endOf(ctx, kube, "foreign-during"); err != nil {
		t.Error(err)
	} else {
		t.Logf("the deletion of an ordinary namespace took %.1f s during the drain; blocked: %t", took.Seconds(), blocked)
	}
	select {
	case err := <-stopped:
		if err != nil {
			t.Errorf("the broker did not stop cleanly: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the broker did not stop")
	}
	if registered(c) {
		t.Error("the APIService is still there")
	}
	select {
	case <-time.After(time.Minute):
		t.Error("the watch did not end")
	case <-drained(w.ResultChan()):
	}
	deletion(t, kube, "after")
	// After a restart, the broker registers its API again and knows all namespaces.
	b := start(t, c, port, "broker-0")
	if now, err := alice.Get(ctx, kept.Name); err != nil || now.UID != kept.UID {
		t.Errorf("after a restart: %v, %v", now, err)
	}
	// If the APIService is deleted, the broker restores it.
	if out, err := c.Kubectl("admin", "delete", "apiservice", "v1alpha1.tenama.dev"); err != nil {
		t.Fatal(out)
	}
	if err := c.WaitServed(ctx, b); err != nil {
		t.Errorf("the APIService was not restored: %v", err)
	}
	// Both replicas stop at once; each at first assumes that the other one stays.
	second, err = c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Endpoints(ctx, port, "broker-0", "broker-1"); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second,
		func() error { return logged(second, `"msg":"Serving"`, 2) }); err != nil {
		t.Fatal(err)
	}
	go func() { stopped <- second.Stop() }()
	go func() { time.Sleep(500 * time.Millisecond); _ = c.Endpoints(context.WithoutCancel(ctx), port) }()
	if err := errors.Join(b.Stop(), <-stopped); err != nil {
		t.Error(err)
	}
	// With slow writes, the endpoints are still there when both have stopped.
	if registered(c) && os.Getenv("SLOW_WRITES") == "" {
		t.Error("two replicas that stopped together did not delete the APIService")
	}
	b = start(t, c, port, "broker-0")
	// Uninstalling deletes the APIService, because the ClusterRole owns it.
	if out, err := c.Kubectl("admin", "get", "apiservice", "v1alpha1.tenama.dev", "-o",
		"jsonpath={.metadata.ownerReferences[0].name}"); err != nil || out != "tenama:broker" {
		t.Errorf("its owner is %q (%v), want ClusterRole tenama:broker", out, err)
	}
	b.Kill()
	if out, err := c.Kubectl("admin", "delete", "clusterrole", "tenama:broker"); err != nil {
		t.Fatal(out)
	}
	err = testenv.Eventually(60*time.Second, func() error {
		if registered(c) {
			return fmt.Errorf("the APIService outlives the ClusterRole that owns it")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func drained[T any](ch <-chan T) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for range ch {
		}
		close(done)
	}()
	return done
}

// deletion creates and deletes a namespace that is not tenama's, whose deletion the API
// must not delay.
func deletion(t *testing.T, kube kubernetes.Interface, name string) {
	t.Helper()
	took, blocked, err := endOf(t.Context(), kube, "foreign-"+name)
	if err != nil {
		t.Error(err)
	}
	if blocked {
		t.Errorf("%s: discovery failed, and blocked the deletion of an ordinary namespace, which took %s", name, took)
	}
}

// endOf creates and deletes a namespace. It returns the duration of the deletion, and
// whether discovery blocked it (condition NamespaceDeletionDiscoveryFailure).
func endOf(ctx context.Context, kube kubernetes.Interface, name string) (took time.Duration, blocked bool, err error) {
	if _, err := kube.CoreV1().Namespaces().
		Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		return 0, false, err
	}
	begun := time.Now()
	if err := kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return 0, false, err
	}
	err = testenv.Eventually(3*time.Minute, func() error {
		ns, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, c := range ns.Status.Conditions {
			blocked = blocked || c.Type == corev1.NamespaceDeletionDiscoveryFailure && c.Status == corev1.ConditionTrue
		}
		return fmt.Errorf("%s is still there: %v", name, ns.Status.Conditions)
	})
	return time.Since(begun), blocked, err
}

func logged(b *testenv.Broker, what string, times int) error {
	out, err := b.Output()
	if err == nil && strings.Count(out, what) < times {
		err = fmt.Errorf("the broker has not logged %q: %s", what, out)
	}
	return err
}
