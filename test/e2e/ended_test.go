// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// If a namespace is deleted while it is being created, because of a short TTL on a slow cluster
// or because an administrator deletes it, the broker loses its rights in it. The error
// must tell the owner that the namespace is being deleted, rather than blame the
// broker.
func TestDeletedDuringCreation(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	c, port, proxy, kubeconfig := proxied(t)
	start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
	kube, alice := kubernetesFor(t, c.Config("admin")), as(t, c.Config("alice"))

	const name = "tmp-ended"
	reached, release := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(release) })
	defer goOn()
	var first sync.Once
	proxy.Cut(func(r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/api/v1/namespaces/"+name+"/limitranges" {
			first.Do(func() { close(reached); <-release })
		}
	}, nil)
	answer := make(chan error, 1)
	go func() {
		_, err := alice.Create(ctx, tns(name, time.Hour), metav1.CreateOptions{})
		answer <- err
	}()
	select {
	case <-reached:
	case err := <-answer:
		t.Fatalf("the namespace was created without a limit range: %v", err)
	}
	// The namespace controller would delete the binding within seconds.
	if err := kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := kube.RbacV1().RoleBindings(name).Delete(ctx, "tenama:broker", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	goOn()
	err := <-answer
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "it is being deleted") {
		t.Errorf("got %v, want a Conflict", err)
	}
}
