// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// way is one way to create a namespace.
type way struct {
	name string
	make func(ctx context.Context, name string) error
}

// creates measures creations by 1, 8 and 32 callers. The usable floor is the base of all
// ratios.
func creates(ctx context.Context, r *run) error {
	c, b, stop, err := stage(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	if err := sizes(ctx, r, b); err != nil {
		return err
	}
	floors, err := floorsOf(ctx, c, "bench.test", "tenama.dev")
	if err != nil {
		return err
	}
	fl, under := floors[0], floors[1]
	alice, err := tenama.New(c.Config("alice"))
	if err != nil {
		return err
	}
	past, err := direct(c, b, "alice")
	if err != nil {
		return err
	}
	ways := []way{
		{"usable floor", fl.usable},
		{"tenama", creator(alice)},
		{"tenama, directly", creator(past)},
		{"usable floor, under tenama's policies", under.usable},
		{"naive floor", fl.naive},
	}
	if err := latency(ctx, r, ways, r.creates); err != nil {
		return err
	}
	t := table{ID: "callers", Title: fmt.Sprintf("Creations by several callers, %d each, in turns", r.crowd),
		Columns: []string{"a second", "× the usable floor"}}
	for _, callers := range []int{8, 32} {
		rows, err := throughput(ctx, ways[:3], r.crowd, callers)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, rows...)
	}
	r.add(t)
	return nil
}

// creator returns the creation of a namespace of the default class by a user.
func creator(user *tenama.Client) func(context.Context, string) error {
	return func(ctx context.Context, name string) error {
		_, err := user.Create(ctx, newNamespace(name, ""), metav1.CreateOptions{})
		return err
	}
}

func defaultClass() (*policyv1alpha1.NamespaceClass, error) {
	class := &policyv1alpha1.NamespaceClass{}
	b, err := os.ReadFile(filepath.Join(testenv.Root(), "deploy", "classes", "default.yaml"))
	if err != nil {
		return nil, err
	}
	return class, yaml.Unmarshal(b, class)
}

// floorsOf returns floors for the default class, with labels of domains.
func floorsOf(ctx context.Context, c *testenv.Cluster, domains ...string) (floors []*floor, _ error) {
	class, err := defaultClass()
	if err != nil {
		return nil, err
	}
	// A user like others: kube-apiserver's queues do not apply to administrators of its own.
	if out, err := c.Kubectl("admin", "create", "clusterrolebinding", "floor", "--clusterrole=cluster-admin",
		"--user=floor"); err != nil {
		return nil, errors.New(out)
	}
	config, err := c.ConfigFor("floor")
	if err != nil {
		return nil, err
	}
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf,
		runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	for _, domain := range domains {
		floors = append(floors, newFloor(ctx, client, class, domain))
	}
	return floors, nil
}

// latency creates namespaces one after the other, alternating between the ways.
func latency(ctx context.Context, r *run, ways []way, n int) error {
	const warmUp = 20
	took := make([][]time.Duration, len(ways))
	for i := range n + warmUp {
		if err := turns(len(ways), func(w int) error {
			d, err := timed(func() error { return ways[w].make(ctx, fmt.Sprintf("tmp-l%d-%d", w, i)) })
			if err != nil {
				return fmt.Errorf("%s: %w", ways[w].name, err)
			}
			if i >= warmUp {
				took[w] = append(took[w], d)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	var rows []timing
	for w := range ways {
		rows = append(rows, timing{ways[w].name, took[w], took[0]})
	}
	r.add(timings("create", fmt.Sprintf("Creations by one caller, %d each, in turns", n), rows...))
	return nil
}

// throughput creates namespaces with several callers at once, in rounds that alternate
// between the ways.
func throughput(ctx context.Context, ways []way, n, callers int) ([]record, error) {
	const rounds = 4
	took := make([]time.Duration, len(ways))
	for round := range rounds {
		if err := turns(len(ways), func(w int) error {
			d, err := crowd(ctx, callers, n/rounds, func(i int) error {
				return ways[w].make(ctx, fmt.Sprintf("tmp-t%d-%d-%d-%d", callers, w, round, i))
			})
			if err != nil {
				return fmt.Errorf("%s with %d callers: %w", ways[w].name, callers, err)
			}
			took[w] += d
			return nil
		}); err != nil {
			return nil, err
		}
	}
	var rows []record
	for w := range ways {
		rate := float64(n/rounds*rounds) / took[w].Seconds()
		rows = append(rows, record{Name: fmt.Sprintf("%d callers, %s", callers, ways[w].name),
			Values: []float64{rate, took[0].Seconds() / took[w].Seconds()}})
	}
	return rows, nil
}

// crowd calls f n times, by several callers at once, and returns how long that took.
func crowd(ctx context.Context, callers, n int, f func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var wg sync.WaitGroup
	begun := time.Now()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n) && failure.Load() == nil && ctx.Err() == nil; i = next.Add(1) {
				if err := f(int(i)); err != nil {
					failure.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if p := failure.Load(); p != nil {
		return 0, *p
	}
	return time.Since(begun), ctx.Err()
}

// sizes measures the binaries, the memory of the idle broker, and the start of the plugin.
func sizes(ctx context.Context, r *run, b *testenv.Broker) error {
	t := table{ID: "sizes", Title: "Sizes", Columns: []string{"value"}}
	for _, name := range []string{"kubectl-tenama", "tenama-broker"} {
		i, err := os.Stat(testenv.Bin(name))
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, record{Name: name + ", MB", Values: []float64{float64(i.Size()) / 1e6}})
	}
	t.Rows = append(t.Rows, record{Name: "memory of the broker after its start, MiB", Values: []float64{resident(b)}})
	var took []time.Duration
	for range 30 {
		d, err := timed(exec.CommandContext(ctx, testenv.Bin("kubectl-tenama"), "version", "--client").Run)
		if err != nil {
			return fmt.Errorf("start the plugin: %w", err)
		}
		took = append(took, d)
	}
	t.Rows = append(t.Rows, record{Name: "kubectl-tenama version --client, ms", Values: []float64{ms(at(took, .5))}})
	r.add(t)
	return nil
}
