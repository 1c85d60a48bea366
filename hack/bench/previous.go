// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// plane is a control plane whose brokers listen on a port.
type plane struct {
	*testenv.Cluster
	port int
}

// previous compares the broker with an earlier one, each on a control plane of its own, in
// turns. Halfway the two swap control planes, so that differences between those cancel out.
func previous(ctx context.Context, r *run) error {
	var planes [2]plane
	for i := range planes {
		c, b, stop, err := stage(ctx, r)
		if err != nil {
			return err
		}
		defer stop()
		b.Kill()
		planes[i] = plane{c, b.Port}
	}
	programs := [2]string{r.previousBroker, testenv.Bin("tenama-broker")}
	creations, lists := [2][]time.Duration{}, [2][]time.Duration{}
	for half := range 2 {
		order := planes
		if half == 1 {
			slices.Reverse(order[:])
		}
		if err := versions(ctx, order, programs, half, r.previous/2, &creations, &lists); err != nil {
			return err
		}
	}
	var rows []timing
	for i, of := range []string{"the earlier broker", "this broker"} {
		rows = append(rows, timing{"create, " + of, creations[i], creations[0]})
	}
	for i, of := range []string{"the earlier broker", "this broker"} {
		rows = append(rows, timing{"a page of 10, " + of, lists[i], lists[0]})
	}
	r.add(timings("previous", fmt.Sprintf("Beside an earlier broker, %d each, in turns on two control planes that "+
		"swap halfway",
		len(creations[0])), rows...))
	return nil
}

// versions runs a program on each control plane, and adds the times of n creations and lists.
func versions(ctx context.Context, planes [2]plane, programs [2]string, half, n int,
	creations, lists *[2][]time.Duration) error {
	const warmUp = 20
	var users [2]*tenama.Client
	for i, c := range planes {
		c.Broker = programs[i]
		b, err := c.StartBroker(ctx, c.port, fmt.Sprintf("broker-%d", half))
		if err != nil {
			return fmt.Errorf("start %q: %w", programs[i], err)
		}
		defer b.Kill()
		if users[i], err = userOf(c.Cluster, fmt.Sprintf("alice-%d", half)); err != nil {
			return err
		}
	}
	for k := range n + warmUp {
		if err := turns(len(users), func(i int) error {
			name := fmt.Sprintf("tmp-v%d-%d", half, k)
			create, err := timed(func() error { return creator(users[i])(ctx, name) })
			list, listErr := timed(func() error { _, err := users[i].List(ctx, metav1.ListOptions{Limit: 10}); return err })
			if err := errors.Join(err, listErr); err != nil {
				return fmt.Errorf("with %q: %w", programs[i], err)
			}
			if k >= warmUp {
				creations[i], lists[i] = append(creations[i], create), append(lists[i], list)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
