// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

const (
	readers     = 10 // users, each with as many namespaces
	watchers    = 200
	writes      = 50 // a second
	writingTime = time.Minute
)

// reads measures lists of a user's own namespaces among many, and the cost of watches.
func reads(ctx context.Context, among int) error {
	c, _, b, stop, err := stage(ctx)
	if err != nil {
		return err
	}
	defer stop()
	var users []*tenama.Client
	for i := range readers {
		config, err := c.ConfigFor(fmt.Sprintf("reader-%d", i), "devs")
		if err != nil {
			return err
		}
		user, err := tenama.New(config)
		if err != nil {
			return err
		}
		for j := range readers {
			tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("tmp-r%d-%d", i, j)}}
			if _, err := user.Create(ctx, tn, metav1.CreateOptions{}); err != nil {
				return err
			}
		}
		users = append(users, user)
	}
	admin := c.Client("admin")
	if err := fill(ctx, c, admin, 0, among-readers*readers); err != nil {
		return err
	}
	if err := lists(ctx, users[0], admin, among); err != nil {
		return err
	}
	return watches(ctx, users, admin, b)
}

// fill creates the namespaces number first+1 to last of other owners, in the state in which
// the broker would leave them. The policies forbid that, so fill removes the policies
// meanwhile.
func fill(ctx context.Context, c *testenv.Cluster, admin kubernetes.Interface, first, last int) error {
	like, err := admin.CoreV1().Namespaces().Get(ctx, "tmp-r0-0", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if out, err := c.Kubectl("admin", "delete", "validatingadmissionpolicybindings", "--all"); err != nil {
		return errors.New(out)
	}
	time.Sleep(2 * time.Second)
	var next atomic.Int64
	next.Store(int64(first))
	var wg sync.WaitGroup
	var failure atomic.Pointer[error]
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(last) && failure.Load() == nil; i = next.Add(1) {
				owner := fmt.Sprintf("owner-%d", i%500)
				ns := &corev1.Namespace{
					ObjectMeta: metav1.ObjectMeta{
						Name: fmt.Sprintf("tmp-o%d", i), Labels: map[string]string{}, Annotations: map[string]string{},
					},
				}
				for k, v := range like.Labels {
					ns.Labels[k] = v
				}
				for k, v := range like.Annotations {
					ns.Annotations[k] = v
				}
				delete(ns.Labels, corev1.LabelMetadataName)
				ns.Labels[v1alpha1.LabelOwner], ns.Annotations[v1alpha1.AnnotationOwner] = v1alpha1.OwnerHash(owner), owner
				if _, err := admin.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
					failure.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if p := failure.Load(); p != nil {
		return *p
	}
	policies := filepath.Join(c.Deploy, "base", "policies")
	if out, err := c.Kubectl("admin", "apply", "--server-side", "-k", policies); err != nil {
		return errors.New(out)
	}
	// The controllers create an account and a certificate in each namespace: wait for
	// them.
	return testenv.Eventually(3*time.Minute, func() error {
		_, err := admin.CoreV1().ServiceAccounts(fmt.Sprintf("tmp-o%d", last)).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// lists alternates between the list of a user's own namespaces and kube-apiserver's
// list of the same Namespaces, and compares their times.
func lists(ctx context.Context, user *tenama.Client, admin kubernetes.Interface, among int) error {
	const n = 300
	selector := v1alpha1.LabelOwner + "=" + v1alpha1.OwnerHash("reader-0")
	ways := []struct {
		name string
		list func() (int, error)
	}{
		{"Namespaces", func() (int, error) {
			l, err := admin.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
			return len(l.Items), err
		}},
		{"one's own", func() (int, error) { l, err := user.List(ctx, metav1.ListOptions{}); return len(l.Items), err }},
		{"one's own, any version", func() (int, error) {
			l, err := user.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
			return len(l.Items), err
		}},
	}
	took := make([][]time.Duration, len(ways))
	for i := range n + 10 {
		for w := range ways {
			begun := time.Now()
			found, err := ways[w].list()
			if err != nil || found != readers {
				return fmt.Errorf("%s: %d found, %w", ways[w].name, found, err)
			}
			if i >= 10 {
				took[w] = append(took[w], time.Since(begun))
			}
		}
	}
	fmt.Printf("\nList of %d among %d namespaces, %d each, interleaved\n%-24s %8s %8s   %s\n", readers, among, n, "",
		"p50 ms", "p99 ms", "to kube-apiserver's own list at p50")
	for w := range ways {
		fmt.Printf("%-24s %8.1f %8.1f   %.2f\n", ways[w].name, ms(at(took[w], .5)), ms(at(took[w], .99)),
			ratio(took[w], took[0], .5))
	}
	return nil
}

// watches opens many watches and writes for a while. It prints the number of events
// that arrived, of the access reviews that the broker requested, and the broker's
// memory.
func watches(ctx context.Context, users []*tenama.Client, admin kubernetes.Interface, b *testenv.Broker) error {
	wctx, stop := context.WithCancel(ctx)
	defer stop()
	var events atomic.Int64
	for i := range watchers {
		w, err := users[i%readers].Watch(wctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		go func() {
			for e := range w.ResultChan() {
				if e.Type == watch.Modified {
					events.Add(1)
				}
			}
		}()
	}
	time.Sleep(5 * time.Second)
	events.Store(0)
	before, err := reviews(ctx, admin)
	if err != nil {
		return err
	}
	var memory []float64
	var failed atomic.Int64
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / writes)
	defer tick.Stop()
	total := int(writingTime/time.Second) * writes
	for i := range total {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		wg.Go(func() {
			patch := fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, i)
			if _, err := users[i%readers].Patch(ctx, fmt.Sprintf("tmp-r%d-%d", i%readers, i/readers%readers),
				types.MergePatchType, patch, metav1.PatchOptions{}); err != nil && failed.Add(1) == 1 {
				fmt.Fprintln(os.Stderr, "patch:", err)
			}
		})
		if i%(5*writes) == 5*writes-1 {
			memory = append(memory, resident(b))
		}
	}
	wg.Wait()
	time.Sleep(2 * time.Second)
	after, err := reviews(ctx, admin)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d watches by %d users, %d writes a second for %s\n", watchers, readers, writes, writingTime)
	fmt.Printf("%d writes (%d failed), %d events of %d were received, %d access reviews: %.4f an event\n",
		total, failed.Load(), events.Load(), (total-int(failed.Load()))*watchers/readers, after-before,
		float64(after-before)/float64(max(1, events.Load())))
	fmt.Printf("broker, resident, every 5 s: %.1f MiB\n", memory)
	return nil
}

// reviews returns the number of access reviews that kube-apiserver has answered.
func reviews(ctx context.Context, admin kubernetes.Interface) (int, error) {
	raw, err := admin.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	total := 0.0
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "apiserver_request_total{") && strings.Contains(line, `resource="subjectaccessreviews"`) {
			var v float64
			fmt.Sscanf(line[strings.LastIndex(line, " ")+1:], "%g", &v)
			total += v
		}
	}
	return int(total), err
}

// resident returns the resident memory of the broker, in MiB.
func resident(b *testenv.Broker) float64 {
	s, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.PID()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(s)) {
		if strings.HasPrefix(line, "VmRSS") {
			var kb float64
			fmt.Sscanf(strings.TrimPrefix(line, "VmRSS:"), "%f", &kb)
			return kb / 1024
		}
	}
	return 0
}
