// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what runs measured. It is written as JSON, for plots and comparisons.
type report struct {
	Machine struct {
		CPU    string `json:"cpu"`
		Cores  int    `json:"cores"`
		Memory string `json:"memory"`
		Kernel string `json:"kernel"`
	} `json:"machine"`
	Go         string  `json:"go"`
	Kubernetes string  `json:"kubernetes"`
	Date       string  `json:"date"`
	Tables     []table `json:"tables"`
}

// table is one comparison. Its rows were measured in turns, in the same minutes, unless its
// title says otherwise.
type table struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    []record `json:"rows"`
	Notes   []string `json:"notes,omitempty"`
	// Axis names what X of the rows counts. The columns in Drawn are drawn over it.
	Axis  string   `json:"axis,omitempty"`
	Date  string   `json:"date"`
	Drawn []string `json:"drawn,omitempty"`
}

// record is a row of a table.
type record struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
	X      float64   `json:"x,omitempty"`
	// Percentiles 0 to 100 of what was timed, in milliseconds.
	Percentiles []float64 `json:"percentiles,omitempty"`
}

func newReport() *report {
	r := &report{Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly)}
	r.Machine.Cores = runtime.NumCPU()
	r.Machine.CPU = field("/proc/cpuinfo", "model name")
	r.Machine.Memory = field("/proc/meminfo", "MemTotal")
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		r.Machine.Kernel, _, _ = strings.Cut(strings.TrimSpace(string(b)), "-") // without the name of a build
	}
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

// add records a table, in place of an earlier one, and prints it.
func (r *report) add(t table) {
	t.Date = time.Now().UTC().Format(time.DateOnly)
	if i := slices.IndexFunc(r.Tables, func(o table) bool { return o.ID == t.ID }); i >= 0 {
		r.Tables[i] = t
	} else {
		r.Tables = append(r.Tables, t)
	}
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
			fmt.Fprintf(w, "  %*s", len([]rune(t.Columns[i])), number(v))
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
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// read reads the results of an earlier run. Errors: the results are of another machine than
// r, if r names one.
func (r *report) read(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	was := report{}
	if err := json.Unmarshal(b, &was); err != nil {
		return fmt.Errorf("read results of %q: %w", file, err)
	}
	if r.Machine.Cores > 0 && r.Machine != was.Machine {
		return fmt.Errorf("the results in %q are of another machine: measure all parts", file)
	}
	*r = was
	return nil
}
