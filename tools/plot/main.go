// SPDX-License-Identifier: Apache-2.0

// Command plot draws the results of hack/bench: plot RESULTS.json DIR writes DIR/ID.svg for
// each table with distributions, and for each with columns to draw. It also draws the dashboard
// with the data of test/monitoring: plot DASHBOARD.json FILE.svg.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// results is what this program reads of a report of hack/bench.
type results struct {
	Tables []table `json:"tables"`
}

type table struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    []row    `json:"rows"`
	Axis    string   `json:"axis"`
	Drawn   []string `json:"drawn"`
}

type row struct {
	Name        string    `json:"name"`
	Values      []float64 `json:"values"`
	X           float64   `json:"x"`
	Percentiles []float64 `json:"percentiles"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot RESULTS.json DIR, or plot DASHBOARD.json FILE.svg")
		os.Exit(2)
	}
	write := drawTables
	if strings.HasSuffix(os.Args[2], ".svg") {
		write = drawDashboard
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func drawTables(file, dir string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r results
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("read results of %q: %w", file, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, t := range r.Tables {
		p, err := t.plot()
		if err != nil {
			return fmt.Errorf("draw %q: %w", t.ID, err)
		}
		if p == nil {
			continue
		}
		if err := p.Save(16*vg.Centimeter, 9*vg.Centimeter, filepath.Join(dir, t.ID+".svg")); err != nil {
			return err
		}
	}
	return nil
}

// plot returns the plot of a table, or nil for one without.
func (t *table) plot() (*plot.Plot, error) {
	if len(t.Drawn) > 0 {
		return t.lines()
	}
	for _, r := range t.Rows {
		if len(r.Percentiles) > 0 {
			return t.distributions()
		}
	}
	return nil, nil
}

// distributions draws a line for each row: the share of calls that took at most so long.
func (t *table) distributions() (*plot.Plot, error) {
	p := t.empty("ms (logarithmic)", "% of calls")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	for i, r := range t.Rows {
		var points plotter.XYs
		for percent, v := range r.Percentiles {
			points = append(points, plotter.XY{X: max(v, .01), Y: float64(percent)})
		}
		if err := add(p, i, r.Name, points); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// lines draws a line for each column that is to be drawn, over the X of the rows.
func (t *table) lines() (*plot.Plot, error) {
	p := t.empty(t.Axis+" (logarithmic)", "(logarithmic)")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	for i, name := range t.Drawn {
		c := slices.Index(t.Columns, name)
		if c < 0 {
			return nil, fmt.Errorf("there is no column %q", name)
		}
		var points plotter.XYs
		for _, r := range t.Rows {
			points = append(points, plotter.XY{X: r.X, Y: max(r.Values[c], .001)})
		}
		if err := add(p, i, name, points); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (t *table) empty(x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = t.Title, x, y
	p.Title.TextStyle.Font.Size = vg.Points(10)
	p.Legend.TextStyle.Font.Size = vg.Points(8)
	p.Legend.Left, p.Legend.Top = true, true
	p.Add(plotter.NewGrid())
	return p
}

func add(p *plot.Plot, i int, name string, points plotter.XYs) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Dashes, line.Width = plotutil.Color(i), plotutil.Dashes(i), vg.Points(1.5)
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}
