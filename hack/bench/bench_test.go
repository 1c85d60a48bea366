// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tenama.dev/tenama/test/testenv"
)

// docs/performance.md must say what the results beside it say, in the words of page.md.
func TestPage(t *testing.T) {
	docs := filepath.Join(testenv.Root(), "docs")
	r := &report{}
	if err := r.read(filepath.Join(docs, "performance", "results.json")); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(t.TempDir(), "performance.md")
	if err := r.writePage(made); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join(docs, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("docs/performance.md (-) is not what go run ./hack/bench -from docs/performance/results.json "+
			"-page docs/performance.md writes (+):\n%s", diff)
	}
	for plot := range strings.SplitSeq(string(have), "](performance/") {
		if name, _, ok := strings.Cut(plot, ".svg)"); ok && !strings.ContainsAny(name, " \n") {
			if _, err := os.Stat(filepath.Join(docs, "performance", name+".svg")); err != nil {
				t.Errorf("the page shows a plot that is not there: %v", err)
			}
		}
	}
}

// A part that is misspelled must not look like one that was measured.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name          string
		little, given bool
		only, before  string
		want, err     string
	}{
		{name: "all", want: "create commands others budgets scale bursts misuse node"},
		{name: "all, beside an earlier broker", before: "b", want: "create commands previous others budgets scale bursts " +
			"misuse node"},
		{name: "a small run", little: true, want: "create commands"},
		{name: "one", only: "scale", want: "scale"},
		{name: "two", only: "scale,create", want: "scale create"},
		{name: "a page from earlier results", given: true, want: ""},
		{name: "a misspelled one", only: "scales", err: `there is no part "scales"`},
		{name: "without an earlier broker", only: "previous", err: "needs -previous"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chosen, err := choose(c.little, c.only, c.before, c.given)
			if got := strings.Join(names(chosen), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// Ratios and percentiles are what the whole report rests on.
func TestTimings(t *testing.T) {
	var base, twice []time.Duration
	for i := 1; i <= 301; i++ {
		base, twice = append(base, time.Duration(302-i)*time.Millisecond), append(twice, time.Duration(2*i)*time.Millisecond)
	}
	row := timings("id", "title", timing{"twice", twice, base}).Rows[0]
	if diff := cmp.Diff([]float64{302, 542, 596, 602, 2, 2, 2}, row.Values); diff != "" {
		t.Error(diff)
	}
	if row.Percentiles[0] != 2 || row.Percentiles[50] != 302 || row.Percentiles[100] != 602 {
		t.Errorf("percentiles: %v", row.Percentiles)
	}
	// Of few samples, p99 is one of the largest: it is left out, in all rows, which are printed
	// under the same columns.
	for _, n := range []int{10, 299, 300} {
		table := timings("id", "title", timing{"a lag", base[:n], nil}, timing{"before", base, base},
			timing{"after", twice, base})
		if p99 := slices.Contains(table.Columns, "p99 ms"); p99 != (n == 300) {
			t.Errorf("%d samples: p99 is %t among %v", n, p99, table.Columns)
		}
		for i, row := range table.Rows {
			if want := len(table.Columns); i > 0 && len(row.Values) != want || len(row.Values) > want {
				t.Errorf("%d samples: %d values of %q for %v", n, len(row.Values), row.Name, table.Columns)
			}
		}
		table.print(io.Discard)
	}
}
