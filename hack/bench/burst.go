// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// bursts measures many creations at once, each by a user of its own, beside the usable floor
// with as many callers.
func bursts(ctx context.Context, r *run) error {
	c, _, stop, err := stage(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	floors, err := floorsOf(ctx, c, "bench.test")
	if err != nil {
		return err
	}
	var rows []timing
	notes := []string{"The usable floor has as many callers, and no bounds."}
	for _, n := range r.bursts {
		base := make([]time.Duration, n)
		if _, err := crowd(ctx, n, n, func(i int) (err error) {
			base[i-1], err = timed(func() error { return floors[0].usable(ctx, fmt.Sprintf("tmp-floor-%d-%d", n, i)) })
			return err
		}); err != nil {
			return err
		}
		took, repeats, err := burst(ctx, c, n)
		if err != nil {
			return err
		}
		rows = append(rows, timing{fmt.Sprintf("%d, usable floor", n), base, base},
			timing{fmt.Sprintf("%d, tenama", n), took, base})
		notes = append(notes, fmt.Sprintf("Of %d requests, %d were repeated, because the answer named a time to wait.",
			n, repeats))
	}
	t := timings("bursts", "Creations at once, each by a user of its own, after as many by the usable floor", rows...)
	t.Notes = notes
	r.add(t)
	return nil
}

// burst lets n users each create one namespace at the same moment. They repeat what is refused
// with a time after which to repeat it, as clients of Kubernetes do. The times include that.
func burst(ctx context.Context, c *testenv.Cluster, n int) (took []time.Duration, repeats int64, err error) {
	took = make([]time.Duration, n)
	users := make([]*tenama.Client, n)
	for i := range users {
		if users[i], err = userOf(c, fmt.Sprintf("burst-%d-%d", n, i)); err != nil {
			return nil, 0, err
		}
	}
	var repeated atomic.Int64
	_, err = crowd(ctx, n, n, func(i int) (err error) {
		tn := newNamespace(fmt.Sprintf("tmp-burst-%d-%d", n, i), "")
		tn.Annotations = map[string]string{v1alpha1.AnnotationRequestID: "id-" + tn.Name}
		begun := time.Now()
		for first := true; ; first = false {
			_, err := users[i-1].Create(ctx, tn, metav1.CreateOptions{})
			took[i-1] = time.Since(begun)
			after, repeat := apierrors.SuggestsClientDelay(err)
			if err == nil || !repeat || ctx.Err() != nil {
				return err
			}
			if first {
				repeated.Add(1)
			}
			wait(ctx, time.Duration(after)*time.Second)
		}
	})
	return took, repeated.Load(), err
}
