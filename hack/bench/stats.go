// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// enough is the number of samples from which p99 says something: below, it is one of the
// largest values.
const enough = 300

// percentiles returns those that say something about n samples.
func percentiles(n int) []int {
	if n < enough {
		return []int{50, 90}
	}
	return []int{50, 90, 99}
}

// timing is how long calls took, and how long others took with which they are compared.
type timing struct {
	name       string
	took, base []time.Duration // without a base there is no ratio
}

// timings returns a table of timings. All rows have the same columns: p99 is left out if one
// of the rows has too few samples for it.
func timings(id, title string, rows ...timing) table {
	t, n := table{ID: id, Title: title}, math.MaxInt
	for _, row := range rows {
		n = min(n, len(row.took))
	}
	for _, p := range percentiles(n) {
		t.Columns = append(t.Columns, fmt.Sprintf("p%d ms", p))
	}
	t.Columns = append(t.Columns, "max ms")
	for _, p := range percentiles(n) {
		if rows[len(rows)-1].base != nil {
			t.Columns = append(t.Columns, fmt.Sprintf("p%d ×", p))
		}
	}
	for _, row := range rows {
		t.Rows = append(t.Rows, row.record(percentiles(n)))
	}
	return t
}

func (row timing) record(percentiles []int) record {
	r := record{Name: row.name}
	for _, p := range percentiles {
		r.Values = append(r.Values, ms(at(row.took, float64(p)/100)))
	}
	r.Values = append(r.Values, ms(at(row.took, 1)))
	for _, p := range percentiles {
		if row.base != nil {
			r.Values = append(r.Values, ratio(row.took, row.base, float64(p)/100))
		}
	}
	sorted := slices.Sorted(slices.Values(row.took))
	for p := range 101 {
		v := ms(sorted[(len(sorted)-1)*p/100])
		r.Percentiles = append(r.Percentiles, math.Round(100*v)/100)
	}
	return r
}

func at(d []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[int(float64(len(s)-1)*q)]
}

func ratio(a, b []time.Duration, q float64) float64 { return float64(at(a, q)) / float64(at(b, q)) }

func mean(d []time.Duration) float64 {
	sum := time.Duration(0)
	for _, v := range d {
		sum += v
	}
	return float64(sum) / float64(len(d))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// turns calls f for each of n numbers in a random order, so that none of them always follows
// the same other one.
func turns(n int, f func(i int) error) error {
	for _, i := range rand.Perm(n) {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// timed returns how long f takes.
func timed(f func() error) (time.Duration, error) {
	begun := time.Now()
	err := f()
	return time.Since(begun), err
}

// wait returns after d, or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
