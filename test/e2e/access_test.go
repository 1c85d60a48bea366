// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// follower is an informer that records the events its handlers received.
type follower struct {
	mu     sync.Mutex
	events []string
}

func follow(t *testing.T, c *client.Client) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	f := &follower{}
	note := func(what string, o any) {
		if tomb, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = tomb.Obj
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, what+" "+o.(*v1alpha1.TemporaryNamespace).Name)
	}
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return c.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, o)
		},
	}, &v1alpha1.TemporaryNamespace{}, 0, cache.Indexers{})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { note("ADDED", o) }, DeleteFunc: func(o any) { note("DELETED", o) },
	})
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("the informer did not start")
	}
	return f
}

func (f *follower) waitFor(t *testing.T, within time.Duration, want ...string) {
	t.Helper()
	err := testenv.Eventually(within, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, w := range want {
			if !slices.Contains(f.events, w) {
				return fmt.Errorf("%q was not received: %v", w, f.events)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A watch must report objects that a user gains access to as added, and objects that
// the user loses access to as deleted: after a right to see all namespaces is granted
// or revoked, after a label changes, and after an administrator takes a namespace away
// from tenama. Without this, informers would show stale data.
func TestAccessChangesInWatches(t *testing.T) {
	t.Parallel() // it waits for watches to notice changes
	c, port := own(t)
	start(t, c, port, "broker-0")
	alice, erik := as(t, c.Config("alice")), as(t, c.Config("erik"))
	for _, name := range []string{"tmp-a", "tmp-b"} {
		if _, err := alice.Create(t.Context(), tns(name, time.Hour), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := erik.Create(t.Context(), tns("tmp-e", time.Hour), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	quiet, err := as(t, c.Config("bob")).
		Watch(t.Context(), metav1.ListOptions{AllowWatchBookmarks: true, FieldSelector: "metadata.name=tmp-nothing"})
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Stop()
	f, own := follow(t, erik), follow(t, alice)
	f.waitFor(t, time.Minute, "ADDED tmp-e")
	if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "erik-views", "--clusterrole=tenama:viewall",
		"--user=erik"); err != nil {
		t.Fatal(out)
	}
	f.waitFor(t, 60*time.Second, "ADDED tmp-a", "ADDED tmp-b")
	if out, err := c.Kubectl("admin", "delete", "clusterrolebinding", "erik-views"); err != nil {
		t.Fatal(out)
	}
	f.waitFor(t, 60*time.Second, "DELETED tmp-a", "DELETED tmp-b")
	f.mu.Lock()
	if slices.Contains(f.events, "DELETED tmp-e") {
		t.Errorf("erik's own namespace was reported as deleted: %v", f.events)
	}
	f.mu.Unlock()

	// On a watch without events, bookmarks report progress from time to time.
	select {
	case e := <-quiet.ResultChan():
		if tn, ok := e.Object.(*v1alpha1.TemporaryNamespace); e.Type != watch.Bookmark || !ok || tn.ResourceVersion == "" {
			t.Errorf("got %s %v, want a bookmark", e.Type, e.Object)
		}
	case <-time.After(2 * time.Minute):
		t.Error("a watch without events got no bookmark in two minutes")
	}

	// By label, on one watch.
	w, err := alice.Watch(t.Context(), metav1.ListOptions{LabelSelector: "stage=x"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for _, label := range []string{`"x"`, `"y"`} {
		if _, err := alice.Patch(t.Context(), "tmp-a", types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"stage":`+label+`}}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []watch.EventType{watch.Added, watch.Deleted} {
		select {
		case e := <-w.ResultChan():
			if tn, ok := e.Object.(*v1alpha1.TemporaryNamespace); !ok || e.Type != want || tn.Name != "tmp-a" {
				t.Errorf("got %s %v, want %s", e.Type, e.Object, want)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s was not received", want)
		}
	}

	// The same on a watch that resumes from an earlier version.
	label := func(name, stage string) {
		t.Helper()
		if _, err := alice.Patch(t.Context(), name, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"stage":"`+stage+`"}}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	label("tmp-a", "x")
	before, err := alice.List(t.Context(), metav1.ListOptions{LabelSelector: "stage=x"})
	if err != nil || !has(before, "tmp-a") {
		t.Fatal(before, err)
	}
	label("tmp-a", "y")
	label("tmp-b", "x")
	label("tmp-a", "z")
	label("tmp-b", "y")
	resumed, err := alice.Watch(t.Context(), metav1.ListOptions{
		LabelSelector: "stage=x", ResourceVersion: before.ResourceVersion,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resumed.Stop()
	for _, want := range []string{"DELETED tmp-a", "ADDED tmp-b", "DELETED tmp-b"} {
		select {
		case e := <-resumed.ResultChan():
			tn, ok := e.Object.(*v1alpha1.TemporaryNamespace)
			if got := fmt.Sprint(e.Type, " ", tn.GetName()); !ok || got != want {
				t.Errorf("resumed: got %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Errorf("resumed: %s was not received", want)
		}
	}

	// An administrator takes a namespace away from tenama and keeps it.
	for _, binding := range []string{"tenama-namespaces", "tenama-broker"} {
		if out, err := c.Kubectl("admin", "delete", "validatingadmissionpolicybinding", binding); err != nil {
			t.Fatal(out)
		}
	}
	if err := testenv.Eventually(60*time.Second, func() error {
		_, err := c.Client("admin").CoreV1().Namespaces().
			Patch(t.Context(), "tmp-b", types.MergePatchType, []byte(`{"metadata":{"labels":{"tenama.dev/managed":null}}}`),
				metav1.PatchOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	own.waitFor(t, time.Minute, "DELETED tmp-b")
	if ns := namespace(t, c.Client("admin"), "tmp-b"); ns.Status.Phase != corev1.NamespaceActive {
		t.Errorf("the namespace is %s", ns.Status.Phase)
	}
}
