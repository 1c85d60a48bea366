// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// users lend, extend, read and delete namespaces, as the plugin does.
type users struct {
	all           []*lender
	calls, failed atomic.Int64

	mu     sync.Mutex
	has    map[string]types.UID // namespaces that a user was given and has not deleted
	gone   map[string]bool      // that a user may have deleted
	errors []string
	lost   []string // promises that were not kept
}

// lender is one user.
type lender struct {
	name   string
	client *client.Client
	serial int

	last    atomic.Int64 // time of the last success, in nanoseconds
	longest time.Duration
}

// newUsers returns n users, half of them at each of two kube-apiservers.
func newUsers(c *testenv.Cluster, second string, n int) (*users, error) {
	u := &users{has: map[string]types.UID{}, gone: map[string]bool{
		"tmp-day-off": true, "tmp-full-disk": true, // of bob
	}}
	for i := range n {
		l := &lender{name: fmt.Sprintf("user-%d", i)}
		config := c.Config("admin")
		config.Impersonate = rest.ImpersonationConfig{UserName: l.name, Groups: []string{"devs", "system:authenticated"}}
		if i%2 == 1 {
			config.Host = second
		}
		var err error
		if l.client, err = client.New(config); err != nil {
			return nil, err
		}
		u.all = append(u.all, l)
	}
	return u, nil
}

func (u *users) reset() {
	u.calls.Store(0)
	u.failed.Store(0)
	u.errors, u.lost = nil, nil
	for _, l := range u.all {
		l.last.Store(time.Now().UnixNano())
		l.longest = 0
	}
}

// betweenNamespaces is the pause of a user between two namespaces. Without it, the users
// delete more than the namespace controller can empty, and all deletions take minutes.
const betweenNamespaces = 1500 * time.Millisecond

func (u *users) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range u.all {
		wg.Go(func() {
			for ctx.Err() == nil {
				u.use(ctx, l)
				pause(ctx, betweenNamespaces)
			}
		})
	}
	wg.Wait()
}

// use takes one namespace through its life. Each step is tried once, by the client that the
// plugin uses, which repeats what can be repeated.
func (u *users) use(ctx context.Context, l *lender) {
	l.serial++
	name := fmt.Sprintf("tmp-%s-%d", l.name, l.serial)
	u.mu.Lock()
	u.gone[name] = true // until it is known to be there
	u.mu.Unlock()
	var tn *v1alpha1.TemporaryNamespace
	err := u.call(ctx, l, "create", func(ctx context.Context) (err error) {
		tn, err = l.client.Create(ctx, lend(name, time.Hour), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return
	}
	u.mu.Lock()
	u.has[name] = tn.UID
	delete(u.gone, name)
	u.mu.Unlock()
	var until time.Time
	err = u.call(ctx, l, "extend", func(ctx context.Context) error {
		_, after, err := l.client.Extend(ctx, name, func(tn *v1alpha1.TemporaryNamespace, _ time.Time) time.Time {
			return tn.CreationTimestamp.Add(90 * time.Minute)
		}, "", metav1.PatchOptions{})
		if err == nil {
			until = after.Status.ExpirationTimestamp.Time
		}
		return err
	})
	extended := err == nil
	_ = u.call(ctx, l, "get", func(ctx context.Context) error {
		now, err := l.client.Get(ctx, name)
		if err == nil && extended && !now.Status.ExpirationTimestamp.Time.Equal(until) {
			u.mu.Lock()
			u.lost = append(u.lost, fmt.Sprintf("the extension of %s until %s is lost", name, until.UTC()))
			u.mu.Unlock()
		}
		return err
	})
	if l.serial%3 == 0 { // some stay until the fault is over
		return
	}
	u.mu.Lock()
	u.gone[name] = true
	delete(u.has, name)
	u.mu.Unlock()
	_ = u.call(ctx, l, "delete", func(ctx context.Context) error {
		_, err := l.client.Delete(ctx, name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(tn.UID))})
		if client.IsGone(err) {
			err = nil
		}
		return err
	})
}

// call makes one call, and counts it. One that the end of the load interrupts does not count.
func (u *users) call(ctx context.Context, l *lender, what string, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, 35*time.Second)
	defer cancel()
	err := f(limited)
	if ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	u.calls.Add(1)
	now := time.Now()
	if d := now.Sub(time.Unix(0, l.last.Load())); d > l.longest {
		l.longest = d
	}
	if err == nil {
		l.last.Store(now.UnixNano())
		return nil
	}
	u.failed.Add(1)
	u.mu.Lock()
	u.errors = append(u.errors, what+": "+err.Error())
	u.mu.Unlock()
	return err
}

// longest returns the longest time between two successes of a user.
func (u *users) longest() time.Duration {
	var out time.Duration
	for _, l := range u.all {
		out = max(out, l.longest)
	}
	return out
}

// examples returns different errors, three at most.
func (u *users) examples() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.errors[:min(3, len(u.errors))]
}

// recovered waits until each user has had an answer that is no error since now.
func (u *users) recovered() error {
	now := time.Now().UnixNano()
	for _, l := range u.all {
		err := within(func() error {
			if l.last.Load() < now {
				return fmt.Errorf("%s gets errors, although the cause has ended", l.name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
