// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// scale measures the broker among 100, 1,000 and more namespaces: alone, with many callers,
// with many watches, and while many namespaces expire.
func scale(ctx context.Context, r *run) error {
	s, stop, err := newScene(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	t := table{
		ID: "scale", Title: "The broker among lent namespaces", Axis: "namespaces",
		Columns: []string{"start s", "MiB", "CPU % at rest", "calls a minute", "own list p50 ms", "p99 ms",
			"p50 × Namespaces",
			"any version p50 ms",
			"list of all s", "lists a second, 8 users", "MiB",
			"32 users", "MiB"},
		Drawn: []string{"MiB", "own list p50 ms", "list of all s"},
		Notes: []string{fmt.Sprintf("An own list has %d entries. Namespaces is the time of kube-apiserver's list of the "+
			"same Namespaces by their label. With any version is an own list with resourceVersion=0.", ownOf)},
	}
	made, atRest := 0, map[string]int{}
	for _, n := range r.scale {
		if err := fill(ctx, s.c, s.b, made, n-ownOf); err != nil {
			return err
		}
		made = n - ownOf
		name := strconv.Itoa(n) + " namespaces"
		row, calls, err := s.measure(ctx, n, r.rest)
		if err != nil {
			return fmt.Errorf("among %s: %w", name, err)
		}
		t.Rows, atRest = append(t.Rows, record{Name: name, X: float64(n), Values: row}), calls
	}
	r.add(t)
	most := made
	calling(r, most+ownOf, atRest)
	if _, err := s.restart(ctx); err != nil { // its calls are counted
		return err
	}
	if err := s.fanOut(ctx, r, r.watches/10); err != nil {
		return err
	}
	return s.expire(ctx, r, most, min(1000, most/2))
}

// measure returns a row of the table scale, and the calls of the broker at rest.
func (s *scene) measure(ctx context.Context, n int, rest time.Duration) (row []float64, calls map[string]int, _ error) {
	started, err := s.restart(ctx)
	if err != nil {
		return nil, nil, err
	}
	used, calls := s.atRest(ctx, rest)
	row = []float64{started.Seconds(), resident(s.b), used, total(calls) / rest.Minutes()}
	counting := s.flags // the calls pass this process, which takes time
	s.flags = nil
	if _, err := s.restart(ctx); err != nil {
		return nil, nil, err
	}
	s.flags = counting
	own, base, cached, err := s.lists(ctx, 300)
	if err != nil {
		return nil, nil, err
	}
	row = append(row, ms(at(own, .5)), ms(at(own, .99)), ratio(own, base, .5), ms(at(cached, .5)))
	all, err := s.listAll(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	row = append(row, all.Seconds())
	for _, callers := range []int{8, 32} {
		rate, mib, err := s.callers(ctx, callers)
		if err != nil {
			return nil, nil, err
		}
		row = append(row, rate, mib)
	}
	return row, calls, nil
}

// atRest waits, and returns the share of a core that the broker took meanwhile, and its calls.
func (s *scene) atRest(ctx context.Context, length time.Duration) (percent float64, calls map[string]int) {
	wait(ctx, 20*time.Second)
	before, used := s.counted(), cpu(s.b)
	wait(ctx, length)
	calls = s.counted()
	for what, n := range before {
		calls[what] -= n
	}
	return 100 * (cpu(s.b) - used).Seconds() / length.Seconds(), calls
}

func total(calls map[string]int) (sum float64) {
	for _, n := range calls {
		sum += float64(n)
	}
	return sum
}

// calling says which calls a broker makes when there is nothing to do.
func calling(r *run, n int, calls map[string]int) {
	t := table{ID: "rest", Title: fmt.Sprintf("Calls of a broker among %d namespaces in %s in which nothing happened", n,
		r.rest), Columns: []string{"calls"}}
	for _, what := range slices.Sorted(maps.Keys(calls)) {
		if calls[what] > 0 {
			t.Rows = append(t.Rows, record{Name: what, Values: []float64{float64(calls[what])}})
		}
	}
	t.Rows = append(t.Rows, record{Name: "all", Values: []float64{total(calls)}})
	r.add(t)
}
