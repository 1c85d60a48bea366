// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// steps are the writes of one create, as kube-apiserver receives them.
var steps = []struct {
	name, method, path string
	nth                int32
}{
	{"the namespace", "POST", "/api/v1/namespaces", 1},
	{"the broker's binding", "POST", "/rolebindings", 1},
	{"the quota", "POST", "/resourcequotas", 1},
	{"the limit range", "POST", "/limitranges", 1},
	{"the network policy", "POST", "/networkpolicies", 1},
	{"the quota's status", "PUT", "/resourcequotas/tenama/status", 1},
	{"the owner's binding", "POST", "/rolebindings", 2},
	{"the default account", "POST", "/serviceaccounts", 1},
	{"the review of access", "POST", "/subjectaccessreviews", 1},
	{"the mark", "PUT", "/api/v1/namespaces/", 1},
}

// After kill -9 of the broker before or after any of its writes, the namespace must
// become either complete or absent, whether or not the client repeats the request; and
// the owner must never have access without the guard rails.
func TestKillBetweenSteps(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	c, port, proxy, kubeconfig := proxied(t)
	kube, alice := c.Client("admin"), as(t, c.Config("alice"))
	type attempt struct {
		what, name, id string
		repeat         bool
	}
	var attempts []attempt
	for i, step := range steps {
		for _, after := range []bool{false, true} {
			for _, repeat := range []bool{false, true} {
				name := fmt.Sprintf("tmp-crash-%d-%t-%t", i, after, repeat)
				a := attempt{fmt.Sprintf("killed before %s", step.name), name, "request-" + name, repeat}
				if after {
					a.what = fmt.Sprintf("killed after %s", step.name)
				}
				attempts = append(attempts, a)
				b := start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
				var seen atomic.Int32
				cut := func(r *http.Request) {
					path := r.URL.Path
					ours := path == step.path || strings.Contains(path, name+"/") || strings.HasSuffix(path, "/"+name) ||
						strings.HasSuffix(path, "/subjectaccessreviews")
					if r.Method == step.method && ours && strings.Contains(path, step.path) && seen.Add(1) == step.nth {
						b.Kill()
					}
				}
				proxy.Cut(nil, nil)
				// Warm the broker's cache of reviews, so that the review that is hit is
				// the owner's.
				if _, err := alice.List(ctx, metav1.ListOptions{}); err != nil {
					t.Fatal(err)
				}
				_, _ = alice.Create(ctx, tns(unique("warm"), 5*time.Minute), metav1.CreateOptions{})
				if after {
					proxy.Cut(nil, cut)
				} else {
					proxy.Cut(cut, nil)
				}
				cctx, cancel := context.WithTimeout(ctx, time.Minute)
				go func() { <-b.Done(); cancel() }() // the client ends with the broker
				tn := tns(name, time.Hour)
				tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: a.id}
				_, err := alice.Create(cctx, tn, metav1.CreateOptions{})
				cancel()
				select {
				case <-b.Done():
				default:
					b.Kill()
					t.Fatalf("%s: the broker was not killed (create: %v)", a.what, err)
				}
				proxy.Cut(nil, nil)
				if err := guarded(ctx, kube, name); err != nil {
					t.Errorf("%s: %v", a.what, err)
				}
			}
		}
	}
	b := start(t, c, port, "broker-0")
	for _, a := range attempts {
		if !a.repeat {
			continue
		}
		tn := tns(a.name, time.Hour)
		tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: a.id}
		if _, err := alice.Create(ctx, tn, metav1.CreateOptions{}); err != nil {
			t.Errorf("%s, repeated: %v", a.what, err)
		} else if err := complete(ctx, kube, a.name, "alice"); err != nil {
			t.Errorf("%s, repeated: %v", a.what, err)
		}
	}
	err := testenv.Eventually(2*time.Minute, func() error {
		for _, a := range attempts {
			ns, err := kube.CoreV1().Namespaces().Get(ctx, a.name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return err
			}
			if ns.Annotations[v1alpha1.AnnotationReady] != "true" {
				return fmt.Errorf("%s: not ready", a.what)
			}
			if err := complete(ctx, kube, a.name, "alice"); err != nil {
				return fmt.Errorf("%s: %w", a.what, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
}

// guarded returns an error if the owner can use a namespace that lacks a guard rail.
func guarded(ctx context.Context, kube kubernetes.Interface, name string) error {
	review, err := kube.AuthorizationV1().SubjectAccessReviews().
		Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "alice", Groups: []string{"devs"}, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: name, Verb: "create", Resource: "pods",
			},
		}}, metav1.CreateOptions{})
	if err != nil || !review.Status.Allowed {
		return err
	}
	if err := complete(ctx, kube, name, "alice"); err != nil && !strings.Contains(err.Error(), "serviceaccounts") {
		return fmt.Errorf("the owner has access, although: %w", err)
	}
	return nil
}
