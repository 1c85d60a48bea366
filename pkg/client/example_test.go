// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// TestMain skips the examples unless TENAMA_EXAMPLES is set, because they need a real
// cluster; test/e2e runs them.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("TENAMA_EXAMPLES") == "" {
		_ = flag.Set("test.skip", "^Example")
	}
	os.Exit(m.Run())
}

// connect returns the configuration for a cluster from a kubeconfig; a program in a pod
// uses rest.InClusterConfig instead.
func connect() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		log.Fatal(err)
	}
	return config
}

// This example creates a temporary namespace for a test, extends it and deletes it.
func Example() {
	ctx := context.Background()
	c, err := client.New(connect())
	if err != nil {
		log.Fatal(err)
	}
	tn, err := c.Create(ctx, &v1alpha1.TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{
			Name: "tmp-example",
			// A retry returns the namespace that the first request created.
			Annotations: map[string]string{v1alpha1.AnnotationRequestID: "build-4711"},
		},
		Spec: v1alpha1.TemporaryNamespaceSpec{Reason: "integration test"},
	}, metav1.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tn.Name, tn.Status.Phase) // the namespace is ready for use

	tomorrow := func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(24 * time.Hour) }
	before, after, err := c.Extend(ctx, tn.Name, tomorrow, "the test is slow", metav1.PatchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("later:", before.Status.ExpirationTimestamp.Before(after.Status.ExpirationTimestamp))

	if _, err := c.Delete(ctx, tn.Name, metav1.DeleteOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("gone:", c.WaitGone(ctx, tn.Name, tn.UID) == nil)
	// Output:
	// tmp-example Ready
	// later: true
	// gone: true
}

// This example applies the desired state repeatedly, as a controller does.
func ExampleClient_Apply() {
	ctx := context.Background()
	c, err := client.New(connect())
	if err != nil {
		log.Fatal(err)
	}
	want := &v1alpha1.TemporaryNamespace{
		ObjectMeta: metav1.ObjectMeta{Name: "tmp-example-apply", Labels: map[string]string{"app": "shop"}},
	}
	first, err := c.Apply(ctx, want, metav1.ApplyOptions{FieldManager: "previews"})
	if err != nil {
		log.Fatal(err)
	}
	again, err := c.Apply(ctx, want, metav1.ApplyOptions{FieldManager: "previews"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("unchanged:", first.ResourceVersion == again.ResourceVersion)
	if err := c.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=shop"}); err != nil {
		log.Fatal(err)
	}
	// Output: unchanged: true
}

// This example uses an informer to follow all changes to the namespaces that the caller
// is allowed to see.
func ExampleClient_Watch() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New(connect())
	if err != nil {
		log.Fatal(err)
	}
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return c.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, o)
		},
	}, &v1alpha1.TemporaryNamespace{}, 0, cache.Indexers{})
	ready := make(chan string, 10)
	see := func(o any) {
		if tn := o.(*v1alpha1.TemporaryNamespace); tn.Name == "tmp-example-watch" && tn.Status.Phase == v1alpha1.PhaseReady {
			ready <- tn.Name
		}
	}
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, o any) { see(o) }})
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		log.Fatal("the informer did not start")
	}
	tn, err := c.Create(ctx, &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: "tmp-example-watch"}},
		metav1.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	select {
	case name := <-ready:
		fmt.Println("ready:", name)
	case <-ctx.Done():
		log.Fatal(ctx.Err())
	}
	_, _ = c.Delete(ctx, tn.Name, metav1.DeleteOptions{})
	// Output: ready: tmp-example-watch
}

// This example distinguishes a namespace that does not exist from an API that is not
// served.
func ExampleIsGone() {
	ctx := context.Background()
	c, err := client.New(connect())
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Get(ctx, "tmp-does-not-exist")
	fmt.Println(client.IsGone(err), client.IsNotServed(err))
	// Output: true false
}
