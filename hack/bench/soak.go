// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// soak keeps informers and a kubectl wait on the API for a long time, while namespaces
// are created, changed and deleted and the broker is replaced every five minutes. Once a
// minute it compares the state of each informer with the API.
func soak(ctx context.Context, long time.Duration) error {
	c, port, b, stop, err := stage(ctx)
	if err != nil {
		return err
	}
	defer stop()
	defer func() { b.Kill() }() // the current one
	alice, err := tenama.New(c.Config("alice"))
	if err != nil {
		return err
	}
	typed := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return alice.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return alice.Watch(ctx, o)
		},
	}, &v1alpha1.TemporaryNamespace{}, 0, cache.Indexers{})
	meta := metadatainformer.NewSharedInformerFactory(metadata.NewForConfigOrDie(c.Config("alice")), 0).
		ForResource(v1alpha1.Resource).Informer()
	recorders := map[string]*recorder{"informer": record(typed), "metadata informer": record(meta)}
	go typed.RunWithContext(ctx)
	go meta.RunWithContext(ctx)

	create := func(name string) error {
		return testenv.Eventually(30*time.Second, func() error {
			_, err := alice.Apply(ctx, &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
				metav1.ApplyOptions{FieldManager: "soak"})
			return err
		})
	}
	if err := create("tmp-waited-for"); err != nil {
		return err
	}
	wait := exec.CommandContext(ctx, testenv.Bin("kubectl"), "wait", "--for=jsonpath={.spec.reason}=done",
		"tns/tmp-waited-for", "--timeout="+(long+5*time.Minute).String())
	wait.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig("alice"))
	var out bytes.Buffer
	wait.Stdout, wait.Stderr = &out, &out
	if err := wait.Start(); err != nil {
		return err
	}

	end, check, replace := time.Now().Add(long), time.Now().Add(time.Minute), time.Now().Add(5*time.Minute)
	writes, replaced := 0, 0
	for i := 0; time.Now().Before(end); i++ {
		name := fmt.Sprintf("tmp-soak-%d", rand.IntN(40))
		switch rand.IntN(4) {
		case 0:
			_, err = alice.Delete(ctx, name, metav1.DeleteOptions{})
		case 1:
			_, err = alice.Apply(ctx, &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
				metav1.ApplyOptions{FieldManager: "soak"})
		default:
			_, err = alice.Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, i),
				metav1.PatchOptions{})
		}
		if err == nil {
			writes++
		}
		if time.Now().After(replace) {
			replace = time.Now().Add(5 * time.Minute)
			if replaced++; replaced%2 == 0 {
				b.Kill()
			} else if err := b.Stop(); err != nil {
				return err
			}
			if b, err = c.StartBroker(ctx, port, fmt.Sprintf("broker-%d", replaced)); err != nil {
				return err
			}
		}
		if time.Now().After(check) {
			check = time.Now().Add(time.Minute)
			if err := agree(ctx, alice, recorders); err != nil {
				return err
			}
			fmt.Printf("%s left: %d writes, %d replacements of the broker; all informers agree; %.1f MiB\n",
				time.Until(end).Round(time.Second), writes, replaced, resident(b))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	if err := testenv.Eventually(20*time.Second, func() error {
		_, err := alice.Patch(ctx, "tmp-waited-for", types.MergePatchType, []byte(`{"spec":{"reason":"done"}}`),
			metav1.PatchOptions{})
		return err
	}); err != nil {
		return err
	}
	if err := errors.Join(wait.Wait(), agree(ctx, alice, recorders)); err != nil {
		return fmt.Errorf("%w: %s", err, out.String())
	}
	fmt.Printf("kubectl wait, after %s: %s", long, out.String())
	return nil
}

// recorder records the events that an informer's handlers received: name to resourceVersion.
type recorder struct {
	mu       sync.Mutex
	versions map[string]string
}

func record(informer cache.SharedIndexInformer) *recorder {
	e := &recorder{versions: map[string]string{}}
	note := func(o any, gone bool) {
		if tomb, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = tomb.Obj
		}
		m, err := meta.Accessor(o)
		if err != nil {
			panic(err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.versions[m.GetName()] = m.GetResourceVersion(); gone {
			delete(e.versions, m.GetName())
		}
	}
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { note(o, false) }, UpdateFunc: func(_, o any) { note(o, false) },
		DeleteFunc: func(o any) { note(o, true) },
	})
	return e
}

func agree(ctx context.Context, c *tenama.Client, recorders map[string]*recorder) error {
	return testenv.Eventually(90*time.Second, func() error {
		list, err := c.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		want := map[string]string{}
		for _, tn := range list.Items {
			want[tn.Name] = tn.ResourceVersion
		}
		for name, e := range recorders {
			e.mu.Lock()
			same := maps.Equal(want, e.versions)
			have := len(e.versions)
			e.mu.Unlock()
			if !same {
				return fmt.Errorf("the %s has %d namespaces, which differ from the %d of a list", name, have, len(want))
			}
		}
		return nil
	})
}
