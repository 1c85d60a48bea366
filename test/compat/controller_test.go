// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// A controller's cache must stay consistent with the API through creations, changes and
// deletions, while the broker is killed, replaced and drained, and after every watch
// ends.
func TestControllerRuntimeCache(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := cache.New(shared.Config("alice"), cache.Options{Scheme: tenama.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	informer, err := c.GetInformer(ctx, &v1alpha1.TemporaryNamespace{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]string{} // name to resourceVersion, from events only
	record := func(o any, gone bool) {
		if tomb, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
			o = tomb.Obj
		}
		tn := o.(*v1alpha1.TemporaryNamespace)
		mu.Lock()
		defer mu.Unlock()
		if seen[tn.Name] = tn.ResourceVersion; gone {
			delete(seen, tn.Name)
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { record(o, false) }, UpdateFunc: func(_, o any) { record(o, false) },
		DeleteFunc: func(o any) { record(o, true) },
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Start(ctx) }()
	if !c.WaitForCacheSync(ctx) {
		t.Fatal("the cache did not fill")
	}
	direct := controllers(t, "alice")
	agree := func(when string) {
		t.Helper()
		err := testenv.Eventually(90*time.Second, func() error {
			var cached, live v1alpha1.TemporaryNamespaceList
			if err := direct.List(ctx, &live); err != nil {
				return err
			}
			if err := c.List(ctx, &cached); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if want, got := versions(&live), versions(&cached); !maps.Equal(want, got) || !maps.Equal(want, seen) {
				return fmt.Errorf("live %v, cached %v, received %v", want, got, seen)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	churn := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			tn := &v1alpha1.TemporaryNamespace{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("tmp-cache-%d", i), Labels: map[string]string{"n": "0"}},
			}
			if err := testenv.Eventually(30*time.Second, func() error {
				err := direct.Create(ctx, tn)
				if apierrors.IsAlreadyExists(err) {
					return nil
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				if err := direct.Patch(ctx, tn,
					client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"n":"1"}}}`))); err != nil {
					t.Error(err)
				}
			}
			if i%3 == 0 {
				if err := direct.Delete(ctx, tn); err != nil {
					t.Error(err)
				}
			}
		}
	}
	churn(0, 10)
	agree("at first")
	for i := range 2 {
		shared.broker.Kill()
		if shared.broker, err = shared.StartBroker(ctx, shared.port, fmt.Sprintf("broker-%d", i+1)); err != nil {
			t.Fatal(err)
		}
		churn(10+5*i, 15+5*i)
		agree("after a kill")
	}
	if err := shared.broker.Stop(); err != nil { // drained: the API is not registered
		t.Error(err)
	}
	// Meanwhile, changes are made to the Namespaces.
	if err := shared.Client("admin").CoreV1().Namespaces().Delete(ctx, "tmp-cache-1", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	time.Sleep(8 * time.Second)
	if shared.broker, err = shared.StartBroker(ctx, shared.port, "broker-9"); err != nil {
		t.Fatal(err)
	}
	agree("after it was drained")
	churn(20, 25)
	agree("at the end")
	if len(seen) < 8 {
		t.Errorf("only %v remain to compare", slices.Sorted(maps.Keys(seen)))
	}
}

func versions(list *v1alpha1.TemporaryNamespaceList) map[string]string {
	out := map[string]string{}
	for _, tn := range list.Items {
		out[tn.Name] = tn.ResourceVersion
	}
	return out
}
