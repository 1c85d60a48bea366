// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// abuse is what one user does all the time, several times at once, and without pauses.
type abuse struct {
	name   string
	atOnce int
	do     func(context.Context, rest.Interface)
}

// misuse measures how much one user slows others down. What kube-apiserver itself suffers
// from the same number of its own lists, by the same user, is the comparison: on a machine
// that runs clients and servers alike, each client that never pauses takes time from all.
func misuse(ctx context.Context, r *run) error {
	c, b, stop, err := stage(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	if err := lendTo(ctx, c, "mallory"); err != nil {
		return err
	}
	if err := fill(ctx, c, b, 0, min(r.among, 1000)); err != nil {
		return err
	}
	if out, err := c.Kubectl("admin", "create", "rolebinding", "mallory", "-n", "default", "--clusterrole=edit",
		"--user=mallory"); err != nil {
		return errors.New(out)
	}
	polite, err := userOf(c, "polite")
	if err != nil {
		return err
	}
	config := c.Config("admin")
	config.QPS = -1
	config.Impersonate = rest.ImpersonationConfig{UserName: "mallory", Groups: []string{"devs", "system:authenticated"}}
	mallory, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	t := table{ID: "misuse", Title: fmt.Sprintf("What others notice while one user does this without pauses, %s each",
		r.misuse), Columns: []string{"create p50 ms", "p50 ×", "p90 ×", "list p50 ms", "p50 ×", "p90 ×"}}
	var quiet [2][]time.Duration
	for k, a := range abuses(c) {
		stop := a.start(ctx, mallory.Discovery().RESTClient())
		wait(ctx, time.Second)
		created, listed, err := ordinary(ctx, polite, fmt.Sprintf("tmp-p%d", k), r.misuse)
		stop()
		if err != nil {
			return fmt.Errorf("while a user makes %s: %w", a.name, err)
		}
		if k == 0 {
			quiet = [2][]time.Duration{created, listed}
		}
		row := record{Name: a.name}
		for i, took := range [][]time.Duration{created, listed} {
			row.Values = append(row.Values, ms(at(took, .5)), ratio(took, quiet[i], .5), ratio(took, quiet[i], .9))
		}
		t.Rows = append(t.Rows, row)
		wait(ctx, 2*time.Second)
	}
	r.add(t)
	return nil
}

func abuses(c *testenv.Cluster) []abuse {
	get := func(path string) func(context.Context, rest.Interface) {
		return func(ctx context.Context, client rest.Interface) {
			_, _ = client.Get().AbsPath(path).MaxRetries(0).DoRaw(ctx)
		}
	}
	body := []byte(`{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace","metadata":{"name":"tmp-large",` +
		`"annotations":{"a":"` + strings.Repeat("a", 60<<10) + `"}}}`)
	large := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"large"},"data":{"a":"` +
		strings.Repeat("a", 60<<10) + `"}}`)
	return []abuse{
		{"nothing", 0, nil},
		{"32 lists", 32, get(collection)},
		{"32 watches that are dropped", 32, func(ctx context.Context, client rest.Interface) {
			w, err := client.Get().AbsPath(collection).Param("watch", "1").MaxRetries(0).Stream(ctx)
			if err == nil {
				_, _ = w.Read(make([]byte, 1))
				_ = w.Close()
			}
		}},
		{"8 requests of 60 KiB", 8, func(ctx context.Context, client rest.Interface) {
			_ = client.Post().AbsPath(collection).SetHeader("Content-Type", "application/json").MaxRetries(0).
				Body(bytes.NewReader(body)).Do(ctx)
		}},
		{"kube-apiserver alone: 32 lists of ConfigMaps", 32, get("/api/v1/namespaces/default/configmaps")},
		{"kube-apiserver alone: 8 requests of 60 KiB", 8, func(ctx context.Context, client rest.Interface) {
			_ = client.Post().AbsPath("/api/v1/namespaces/default/configmaps").SetHeader("Content-Type", "application/json").
				MaxRetries(0).Body(bytes.NewReader(large)).Do(ctx)
		}},
	}
}

// start lets a user misuse the API until stop is called.
func (a *abuse) start(ctx context.Context, client rest.Interface) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range a.atOnce {
		wg.Go(func() {
			for ctx.Err() == nil {
				a.do(ctx, client)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// ordinary creates and lists for a while, as a user does, and returns how long each call took.
// Every failed call is an error.
func ordinary(ctx context.Context, user *tenama.Client, prefix string, length time.Duration) (created,
	listed []time.Duration, err error) {
	end := time.Now().Add(length)
	for i := 0; time.Now().Before(end) && ctx.Err() == nil; i++ {
		name := fmt.Sprintf("%s-%d", prefix, i)
		create, err := timed(func() error { return creator(user)(ctx, name) })
		if err != nil {
			return nil, nil, err
		}
		list, err := timed(func() error { _, err := user.List(ctx, metav1.ListOptions{Limit: 10}); return err })
		if err != nil {
			return nil, nil, err
		}
		created, listed = append(created, create), append(listed, list)
		wait(ctx, 10*time.Millisecond)
	}
	return created, listed, ctx.Err()
}
