// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what one run measured. A run writes it as JSON, for plots and comparisons.
type report struct {
	Machine struct {
		CPU    string `json:"cpu"`
		Cores  int    `json:"cores"`
		Memory string `json:"memory"`
	} `json:"machine"`
	Go     string  `json:"go"`
	Date   string  `json:"date"`
	Tables []table `json:"tables"`
}

// table is one comparison. All of its rows were measured in turns, in the same minutes.
type table struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    []record `json:"rows"`
	Notes   []string `json:"notes,omitempty"`
}

// record is a row of a table.
type record struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
}

func newReport() *report {
	r := &report{Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly)}
	r.Machine.Cores = runtime.NumCPU()
	r.Machine.CPU = field("/proc/cpuinfo", "model name")
	r.Machine.Memory = field("/proc/meminfo", "MemTotal")
	return r
}

// field returns the value of a line "NAME: VALUE" in a file of the kernel.
func field(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// add records a table, and prints it.
func (r *report) add(t table) {
	r.Tables = append(r.Tables, t)
	t.print(os.Stdout)
}

func (t *table) print(w io.Writer) {
	width := 0
	for _, row := range t.Rows {
		width = max(width, len(row.Name))
	}
	fmt.Fprintf(w, "\n%s\n%-*s", t.Title, width, "")
	for _, c := range t.Columns {
		fmt.Fprintf(w, "  %s", c)
	}
	fmt.Fprintln(w)
	for _, row := range t.Rows {
		fmt.Fprintf(w, "%-*s", width, row.Name)
		for i, v := range row.Values {
			fmt.Fprintf(w, "  %*s", len(t.Columns[i]), number(v))
		}
		fmt.Fprintln(w)
	}
	for _, n := range t.Notes {
		fmt.Fprintln(w, n)
	}
}

// number formats a value with three significant digits.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *report) write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// distribution returns p50, p90, p99 and the maximum, in milliseconds.
func distribution(d []time.Duration) []float64 {
	return []float64{ms(at(d, .5)), ms(at(d, .9)), ms(at(d, .99)), ms(slices.Max(d))}
}
