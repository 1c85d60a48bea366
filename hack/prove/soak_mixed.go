// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// competitors is how many users compete for the budget of class cell.
const competitors = 4

// mixed is the load of a soak besides that of the outages.
type mixed struct {
	s         *scene
	crowd     *crowd
	informers map[string]*recorder
	denied    atomic.Int64 // tries of the intruder
	looks     atomic.Int64 // at the budget
	most      atomic.Int64 // cores that were in use at once

	mu    sync.Mutex
	wrong map[string]bool
}

func newMixed(ctx context.Context, s *scene) (*mixed, error) {
	if out, err := s.c.KubectlIn("admin", cell, "apply", "-f", "-"); err != nil {
		return nil, errors.New(out)
	}
	m := &mixed{s: s, informers: map[string]*recorder{}, wrong: map[string]bool{}}
	var err error
	if m.crowd, err = newCrowd(s.c, s.replicas, s.second, competitors, false); err != nil {
		return nil, err
	}
	typed := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return s.alice.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return s.alice.Watch(ctx, o)
		},
	}, &v1alpha1.TemporaryNamespace{}, 0, cache.Indexers{})
	meta := metadatainformer.NewSharedInformerFactory(metadata.NewForConfigOrDie(s.c.Config("alice")), 0).
		ForResource(v1alpha1.Resource).Informer()
	for name, informer := range map[string]cache.SharedIndexInformer{"informer": typed, "metadata informer": meta} {
		if m.informers[name], err = record(informer); err != nil {
			return nil, err
		}
		go informer.RunWithContext(ctx)
	}
	return m, nil
}

// run creates the load until ctx is done.
func (m *mixed) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, u := range m.crowd.users[:competitors] {
		wg.Go(func() {
			for ctx.Err() == nil {
				m.crowd.request(ctx, u, false)
				pause(ctx, time.Second) // the namespace controller has to follow
			}
		})
	}
	wg.Go(func() { m.intrude(ctx) })
	wg.Go(func() { m.account(ctx) })
	wg.Wait()
}

// intrude tries, as bob, to use what was lent to alice.
func (m *mixed) intrude(ctx context.Context) {
	kube := kubernetes.NewForConfigOrDie(m.s.c.Config("bob"))
	bob, err := client.New(m.s.c.Config("bob"))
	if err != nil {
		m.add(err.Error())
		return
	}
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("tmp-kept-%d", i%len(m.s.kept))
		for what, try := range map[string]func() error{
			"read the secrets of": func() error {
				_, err := kube.CoreV1().Secrets(name).List(ctx, metav1.ListOptions{})
				return err
			},
			"create a ConfigMap in": func() error {
				_, err := kube.CoreV1().ConfigMaps(name).Create(ctx, &corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}, metav1.CreateOptions{})
				return err
			},
			"read":   func() error { _, err := bob.Get(ctx, name); return err },
			"delete": func() error { _, err := bob.Delete(ctx, name, metav1.DeleteOptions{}); return err },
		} {
			switch err := try(); {
			case err == nil:
				m.add(fmt.Sprintf("bob could %s %s of alice", what, name))
			case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
				m.denied.Add(1)
			}
		}
		pause(ctx, 500*time.Millisecond)
	}
}

// account compares what the namespaces of class cell reserve with the budget. A list is the
// state at one moment.
func (m *mixed) account(ctx context.Context) {
	kube := m.s.c.Client("admin")
	for ; ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
		list, err := kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: "tenama.dev/class=cell"})
		if err != nil {
			continue
		}
		sum := int64(0)
		for i := range list.Items {
			a := list.Items[i].Annotations
			var reserved corev1.ResourceList
			if a[v1alpha1.AnnotationReady] != "true" || json.Unmarshal([]byte(a["tenama.dev/reserved"]), &reserved) != nil {
				continue
			}
			cores := reserved["requests.cpu"]
			sum += cores.Value()
		}
		m.looks.Add(1)
		if m.most.Store(max(m.most.Load(), sum)); sum > limit {
			m.add(fmt.Sprintf("namespaces with %d cores are lent, the budget has %d", sum, limit))
		}
	}
}

func (m *mixed) add(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong[what] = true
}

// check compares the informers with a list, and returns what went wrong since the last call.
func (m *mixed) check(ctx context.Context) (wrong []string) {
	err := within(func() error {
		list, err := m.s.alice.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for name, r := range m.informers {
			err = errors.Join(err, r.compare(name, list))
		}
		return err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.wrong {
		wrong = append(wrong, w)
	}
	clear(m.wrong)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// idle returns what the load did not do, because then it shows nothing.
func (m *mixed) idle() (wrong []string) {
	for what, n := range map[string]int64{
		"was denied to the intruder": m.denied.Load(), "was admitted to the budget": m.crowd.admitted.Load(),
		"was read of the budget": m.looks.Load(),
	} {
		if n == 0 {
			wrong = append(wrong, "nothing "+what)
		}
	}
	return wrong
}

func (m *mixed) String() string {
	return fmt.Sprintf("%d tries of an intruder denied; %d cells admitted, %d refused, at most %d of %d cores at %d looks",
		m.denied.Load(), m.crowd.admitted.Load(), m.crowd.rejected.Load(), m.most.Load(), limit, m.looks.Load())
}

// measure reads the memory of a broker from the kernel, and the goroutines from its metrics.
func (s *scene) measure(i int) (sample, error) {
	b := s.replicas.Brokers[i]
	quick := http.Client{Timeout: 10 * time.Second}
	resp, err := quick.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.metricsPort(i)))
	if err != nil {
		return sample{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return sample{}, err
	}
	now := sample{at: time.Now()}
	if now.goroutines, err = metric(string(text), "go_goroutines"); err != nil {
		return sample{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.PID()))
	if err != nil {
		return sample{}, err
	}
	kib, err := metric(string(status), "VmRSS:")
	now.mib = float64(kib) / 1024
	return now, err
}
