// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// One replica hangs during a creation, at every call in turn; the client gives up, and
// its repeated request reaches another replica, which continues the creation. Then the
// first replica continues, too. There must be exactly one namespace, it must be
// complete, and it must be the one that was returned to the client.
func TestResumeByAnotherReplica(t *testing.T) {
	t.Parallel() // with its own control plane, and much waiting
	ctx := t.Context()
	c, port, proxy, kubeconfig := proxied(t)
	start(t, c, port, "broker-0", "--kubeconfig="+kubeconfig)
	other, err := c.LaunchBroker(ctx, port, "broker-1", fmt.Sprintf("--secure-port=%d", port-1))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Endpoints(ctx, port, "broker-0", "broker-1"); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		return errors.Join(logged(other, `"msg":"Serving"`, 1), logged(other, `"msg":"Containment is proven`, 1))
	}); err != nil {
		t.Fatal(err)
	}
	breaks := &breaker{plans: map[string]*plan{}}
	proxy.Break(breaks.decide)
	kube, alice := kubernetesFor(t, c.Config("admin")), as(t, c.Config("alice"))
	cert, key, err := c.Certificate("front-proxy", "front-proxy-client")
	if err != nil {
		t.Fatal(err)
	}
	second := direct(t, cert, key) // as kube-apiserver would reach the other replica

	create := func(name string) *v1alpha1.TemporaryNamespace {
		tn := tns(name, time.Hour)
		tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: "request-" + name}
		return tn
	}
	const first = "tmp-f-0"
	breaks.plan(first, call{}, testenv.Fault{}, 0)
	if _, err := alice.Create(ctx, create(first), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	calls := breaks.done(first).calls
	if len(calls) < 8 {
		t.Fatalf("a creation sends the requests %v", calls)
	}
	var wg sync.WaitGroup
	var hung atomic.Int64
	for i, at := range calls {
		name := fmt.Sprintf("tmp-f-%d", i+1)
		breaks.plan(name, at, testenv.Fault{Hang: 4 * time.Second, Pass: true}, 1)
		wg.Go(func() {
			where := fmt.Sprintf("hanging at %s, time %d", at.what, at.nth)
			// The client gives up only once the call hangs: on a slow machine the call
			// may come late.
			cctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
			defer cancel()
			answered := make(chan error, 1)
			go func() {
				_, err := alice.Create(cctx, create(name), metav1.CreateOptions{})
				answered <- err
			}()
			var err error
			for wait := true; wait; {
				select {
				case err = <-answered:
					wait = false
				case <-time.After(20 * time.Millisecond):
					if breaks.done(name).fired > 0 {
						cancel()
					}
				}
			}
			if breaks.done(name).fired == 0 { // not every creation makes this call
				if err != nil {
					t.Errorf("%s: the namespace was not created: %v", where, err)
				}
				return
			}
			hung.Add(1)
			if err == nil {
				t.Errorf("%s: the replica did not hang", where)
			}
			var told v1alpha1.TemporaryNamespace
			err = testenv.Eventually(60*time.Second, func() error {
				body, err := json.Marshal(create(name))
				if err != nil {
					return err
				}
				r, err := http.NewRequestWithContext(ctx, http.MethodPost,
					fmt.Sprintf("https://127.96.0.10:%d%s", port-1, collection), strings.NewReader(string(body)))
				if err != nil {
					return err
				}
				r.Header = http.Header{
					"X-Remote-User": {"alice"}, "X-Remote-Group": {"devs", "system:authenticated"},
					"Content-Type": {"application/json"}, "Accept": {"application/json"},
				}
				resp, err := second.Do(r)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				answer, err := io.ReadAll(resp.Body)
				if err == nil && resp.StatusCode != http.StatusCreated {
					err = fmt.Errorf("%s: %s", resp.Status, answer)
				}
				return errors.Join(err, json.Unmarshal(answer, &told))
			})
			if err != nil {
				t.Errorf("%s: the other replica: %v", where, err)
				return
			}
			if err := complete(ctx, kube, name, "alice"); err != nil {
				t.Errorf("%s, when the other replica responded: %v", where, err)
			}
			time.Sleep(6 * time.Second) // the first replica continues
			now, err := alice.Get(ctx, name)
			if err != nil || now.UID != told.UID || now.DeletionTimestamp != nil || now.Status.Phase != v1alpha1.PhaseReady {
				t.Errorf("%s, in the end: %v, %v", where, now, err)
				return
			}
			if err := complete(ctx, kube, name, "alice"); err != nil {
				t.Errorf("%s, in the end: %v", where, err)
			}
		})
	}
	wg.Wait()
	if hung.Load() < 8 {
		t.Errorf("the replica hung at %d calls only", hung.Load())
	}
	if err := other.Stop(); err != nil {
		t.Error(err)
	}
}
