// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/test/testenv"
)

// news is the time within which all replicas must know that a budget is full. On a slow
// machine that runs all processes it includes waiting for a core; otherwise it takes
// milliseconds.
const news = 3 * time.Second

const collection = "/apis/tenama.dev/v1alpha1/temporarynamespaces"

// crowd is a set of users who request namespaces; number 0 never pauses.
type crowd struct {
	users []*requester
	waits bool
	serial, admitted, rejected, pushed, passing,
	odd atomic.Int64
	lastOdd atomic.Value
}

type requester struct {
	name   string
	client rest.Interface
	got    int
	took   []time.Duration // until admitted
}

// newCrowd connects users to the brokers through either API server, and a third of them
// to one replica directly, as kube-apiserver would: a Service is one address, so that
// all connections would otherwise lead to one or two replicas.
func newCrowd(c *testenv.Cluster, r *testenv.Replicas, second string, n int, waits bool) (*crowd, error) {
	out := &crowd{waits: waits}
	cert, key, err := c.Certificate("front-proxy", "front-proxy-client")
	if err != nil {
		return nil, err
	}
	for i := range n + 1 {
		w := &requester{name: fmt.Sprintf("rival-%d", i)}
		config := c.Config("admin")
		config.Impersonate = rest.ImpersonationConfig{UserName: w.name, Groups: []string{"devs", "system:authenticated"}}
		switch i % 3 {
		case 1:
			config.Host = second
		case 2:
			config = r.Direct(len(r.Brokers)-1, cert, key, w.name, "devs", "system:authenticated")
		}
		config.QPS = -1
		k, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		w.client = k.Discovery().RESTClient()
		out.users = append(out.users, w)
	}
	return out, nil
}

// run lets all users send requests for a while, and prints the state of the cluster
// meanwhile.
func (c *crowd) run(ctx context.Context, length time.Duration, o *order) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var wg sync.WaitGroup
	for i, u := range c.users {
		wg.Go(func() {
			for ctx.Err() == nil {
				c.request(ctx, u, i == 0)
			}
		})
	}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for begun := time.Now(); ; {
		select {
		case <-ctx.Done():
			wg.Wait()
			return
		case <-tick.C:
			fmt.Printf("  %3.0f s  %s; admitted %d, rejected %d, of these %d of the user who never pauses\n",
				time.Since(begun).Seconds(), o, c.admitted.Load(), c.rejected.Load(), c.pushed.Load())
		}
	}
}

// request requests one namespace and deletes it after some tenths of a second.
func (c *crowd) request(ctx context.Context, u *requester, pushes bool) {
	name := fmt.Sprintf("tmp-%s-%d", u.name, c.serial.Add(1))
	wait := ""
	if c.waits && !pushes {
		wait = `, "tenama.dev/wait-for-capacity": "10m"`
	}
	body := fmt.Sprintf(`{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace",`+
		`"metadata":{"name":%q,"annotations":{"tenama.dev/request-id":%q%s}},`+
		`"spec":{"className":"cell","parameters":{"cpu":"%d"}}}`,
		name, name, wait, 1+rand.IntN(4))
	begun := time.Now()
	for ctx.Err() == nil {
		err := u.client.Post().AbsPath(collection).SetHeader("Content-Type", "application/json").Body([]byte(body)).
			MaxRetries(0).Do(ctx).Error()
		pause := time.Duration(50+rand.IntN(250)) * time.Millisecond
		switch {
		case err == nil:
			c.admitted.Add(1)
			u.got++
			u.took = append(u.took, time.Since(begun))
			time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
			for range 20 { // a replica may just have been killed
				if err := u.client.Delete().AbsPath(collection, name).Do(context.WithoutCancel(ctx)).Error(); err == nil ||
					apierrors.IsNotFound(err) && strings.Contains(err.Error(), name) {
					return
				}
				time.Sleep(200 * time.Millisecond)
			}
			return
		case ctx.Err() != nil:
			return
		case apierrors.IsForbidden(err) && strings.Contains(err.Error(), `budget "cells" is full`):
			c.rejected.Add(1)
			if pushes {
				c.pushed.Add(1)
				pause = 0
			}
		case apierrors.IsTooManyRequests(err):
			pause = time.Duration(500+rand.IntN(1000)) * time.Millisecond
			if pushes {
				pause = 0
			}
		case passing(err):
			c.passing.Add(1)
		default:
			c.odd.Add(1)
			c.lastOdd.Store(err.Error())
		}
		time.Sleep(pause)
	}
}

// passing reports whether an error only means that the client should retry: a replica
// was killed.
func passing(err error) bool {
	return apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsConflict(err) || apierrors.IsNotFound(err) ||
		strings.Contains(err.Error(), "connection re") || strings.Contains(err.Error(), "EOF") ||
		strings.Contains(err.Error(), "http2:") || strings.Contains(err.Error(), "stream error") ||
		strings.Contains(err.Error(), "broken pipe")
}

// judge prints the results, and returns those that are wrong.
func (c *crowd) judge(o *order) (wrong []string) {
	most, admitted, atLimit, events, races, latest := o.account()
	fmt.Printf("  highest use at any of %d events: %d of %d; close to the limit at %d %% of them\n", events, most, limit,
		100*atLimit/max(1, events))
	fmt.Printf("  admitted %d; rejected %d, of which %d were written and deleted again (%.2f %%), in races: the latest "+
		"%d ms after the budget was full\n", admitted, c.rejected.Load(),
		races, 100*float64(races)/float64(max(1, c.rejected.Load())), latest.Milliseconds())
	var took []time.Duration
	others, none := 0, 0
	for _, u := range c.users[1:] {
		took = append(took, u.took...)
		others += u.got
		if u.got == 0 {
			none++
		}
	}
	slices.Sort(took)
	share := float64(others) / float64(len(c.users)-1)
	fmt.Printf("  the user who never pauses got %d in %d requests, the others %.2f each (%d none)", c.users[0].got,
		c.pushed.Load(), share, none)
	if n := len(took); n > 0 {
		fmt.Printf("; until admitted: p50 %.1f s, p90 %.1f s", took[n/2].Seconds(), took[n*9/10].Seconds())
	}
	fmt.Printf("\n  responses that asked to retry: %d\n", c.passing.Load())
	if most > limit {
		wrong = append(wrong, fmt.Sprintf("%d cores were in use, the budget has %d", most, limit))
	}
	if most < limit-3 {
		wrong = append(wrong, fmt.Sprintf("the limit was not reached: %d of %d", most, limit))
	}
	if latest > news {
		wrong = append(wrong, fmt.Sprintf("a namespace was written %s after the budget was full", latest))
	}
	if c.odd.Load() > 0 {
		wrong = append(wrong, fmt.Sprintf("%d unexpected responses, the last: %v", c.odd.Load(), c.lastOdd.Load()))
	}
	// A killed replica has lost its queue, so user 0 may get a few namespaces there.
	if c.waits && float64(c.users[0].got) > max(3, float64(admitted)/10) {
		wrong = append(wrong, fmt.Sprintf("the user who never pauses got %d, the others %.2f each", c.users[0].got, share))
	}
	return wrong
}
