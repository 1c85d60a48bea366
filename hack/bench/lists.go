// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
)

// lists alternates between kube-apiserver's list of Namespaces, a user's list of the same
// ones, and such a list that may come from a cache.
func (s *scene) lists(ctx context.Context, n int) (own, base, cached []time.Duration, err error) {
	selector := metav1.ListOptions{LabelSelector: v1alpha1.LabelOwner + "=" + v1alpha1.OwnerHash("reader")}
	config := s.c.Config("admin")
	config.QPS = -1
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, nil, err
	}
	namespaces := admin.CoreV1().Namespaces()
	took := map[string][]time.Duration{}
	for range n {
		for _, way := range []struct {
			name string
			list func() (int, error)
		}{
			{"base", func() (int, error) { l, err := namespaces.List(ctx, selector); return len(l.Items), err }},
			{"own", func() (int, error) { return listLength(ctx, s.owner, metav1.ListOptions{}) }},
			{"cached", func() (int, error) { return listLength(ctx, s.owner, metav1.ListOptions{ResourceVersion: "0"}) }},
		} {
			begun := time.Now()
			found, err := way.list()
			if err != nil || found != ownOf {
				return nil, nil, nil, fmt.Errorf("list %d namespaces: %d, %w", ownOf, found, err)
			}
			took[way.name] = append(took[way.name], time.Since(begun))
		}
	}
	return took["own"], took["base"], took["cached"], nil
}

func listLength(ctx context.Context, user *tenama.Client, o metav1.ListOptions) (int, error) {
	l, err := user.List(ctx, o)
	if err != nil {
		return 0, err
	}
	return len(l.Items), nil
}

// listAll returns the median time of a list of all namespaces, in pages as kubectl reads them.
func (s *scene) listAll(ctx context.Context, n int) (time.Duration, error) {
	admin, err := tenama.New(s.c.Config("admin"))
	if err != nil {
		return 0, err
	}
	var took []time.Duration
	for range 5 {
		begun, found := time.Now(), 0
		for o := (metav1.ListOptions{Limit: 500}); ; {
			list, err := admin.List(ctx, o)
			if err != nil {
				return 0, err
			}
			found += len(list.Items)
			if o.Continue = list.Continue; o.Continue == "" {
				break
			}
		}
		if found != n {
			return 0, fmt.Errorf("list all namespaces: %d of %d", found, n)
		}
		took = append(took, time.Since(begun))
	}
	return at(took, .5), nil
}

// callers lists with several users at once, and returns the rate and the memory.
func (s *scene) callers(ctx context.Context, n int) (rate, mib float64, err error) {
	const length = 10 * time.Second
	var done atomic.Int64
	users := make([]*tenama.Client, n)
	for i := range users {
		if users[i], err = userOf(s.c, ownerOf(i)); err != nil {
			return 0, 0, err
		}
	}
	end := time.Now().Add(length)
	if _, err := crowd(ctx, n, n, func(i int) error {
		for time.Now().Before(end) {
			if _, err := users[i-1].List(ctx, metav1.ListOptions{}); err != nil {
				return err
			}
			done.Add(1)
		}
		return nil
	}); err != nil {
		return 0, 0, fmt.Errorf("list with %d users: %w", n, err)
	}
	return float64(done.Load()) / length.Seconds(), resident(s.b), nil
}
