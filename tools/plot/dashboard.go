// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panel is a panel of a dashboard with the data that Prometheus has for it, as
// test/monitoring writes it.
type panel struct {
	Title, Unit, Type string
	Lines             []struct {
		Name   string       `json:"name"`
		Points [][2]float64 `json:"points"` // seconds, value
	}
}

const (
	columns     = 3
	panelWidth  = 9 * vg.Centimeter
	panelHeight = 4.6 * vg.Centimeter
	statHeight  = 1.5 * vg.Centimeter
)

// drawDashboard draws the panels of a file: the numbers in a row at the top, and the others
// below.
func drawDashboard(file, out string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all []panel
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("read the panels of %q: %w", file, err)
	}
	var stats, series []panel
	for _, p := range all {
		switch p.Type {
		case "stat":
			stats = append(stats, p)
		case "timeseries":
			series = append(series, p)
		}
	}
	rows := (len(series) + columns - 1) / columns
	width, height := columns*panelWidth, statHeight+vg.Length(rows)*panelHeight
	svg := vgsvg.New(width, height)
	canvas := draw.New(svg)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	for i, p := range stats {
		w := width / vg.Length(len(stats))
		p.number(draw.Crop(canvas, w*vg.Length(i), w*vg.Length(i+1)-width, height-statHeight, 0))
	}
	for i, p := range series {
		x, y := vg.Length(i%columns)*panelWidth, height-statHeight-vg.Length(i/columns+1)*panelHeight
		tile := draw.Crop(canvas, x+6, x+panelWidth-6-width, y+6, y+panelHeight-6-height)
		drawn, err := p.plot()
		if err != nil {
			return fmt.Errorf("draw %q: %w", p.Title, err)
		}
		drawn.Draw(tile)
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := svg.WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}

// number draws the last value.
func (p *panel) number(c draw.Canvas) {
	last := 0.0
	for _, l := range p.Lines {
		if n := len(l.Points); n > 0 {
			last = l.Points[n-1][1]
		}
	}
	style := plot.New().Title.TextStyle
	style.XAlign, style.YAlign = text.XCenter, text.YCenter
	middle := c.Center()
	style.Font.Size = vg.Points(9)
	c.FillText(style, vg.Point{X: middle.X, Y: middle.Y + vg.Points(10)}, p.Title)
	style.Font.Size = vg.Points(15)
	c.FillText(style, vg.Point{X: middle.X, Y: middle.Y - vg.Points(8)}, value(last, p.Unit))
}

// value formats a value as Grafana would.
func value(v float64, unit string) string {
	switch unit {
	case "s":
		switch {
		case v == 0:
			return "0 s"
		case v < 1:
			return fmt.Sprintf("%.0f ms", v*1000)
		case v > 2*24*3600:
			return fmt.Sprintf("%.3g d", v/(24*3600))
		}
		return fmt.Sprintf("%.3g s", v)
	case "bytes":
		return fmt.Sprintf("%.0f MiB", v/(1<<20))
	case "percentunit":
		return fmt.Sprintf("%.0f%%", v*100)
	case "reqps":
		return fmt.Sprintf("%.2g/s", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// axis formats the marks of an axis with a unit.
type axis struct {
	plot.DefaultTicks
	unit string
}

func (a axis) Ticks(low, high float64) []plot.Tick {
	ticks := a.DefaultTicks.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = value(ticks[i].Value, a.unit)
		}
	}
	return ticks
}

// plot draws the series of a panel over the seconds since the first one.
func (p *panel) plot() (*plot.Plot, error) {
	out := plot.New()
	out.Title.Text, out.X.Label.Text = p.Title, "seconds"
	out.Title.TextStyle.Font.Size, out.Legend.TextStyle.Font.Size = vg.Points(9), vg.Points(7)
	out.X.Label.TextStyle.Font.Size = vg.Points(7)
	out.X.Tick.Label.Font.Size, out.Y.Tick.Label.Font.Size = vg.Points(7), vg.Points(7)
	out.Legend.Top, out.Legend.Left = true, true
	out.Y.Tick.Marker = axis{unit: p.Unit}
	out.Y.Min = 0
	out.Add(plotter.NewGrid())
	for i, l := range p.Lines {
		var points plotter.XYs
		for _, point := range l.Points {
			points = append(points, plotter.XY{X: point[0], Y: point[1]})
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = plotutil.Color(i), vg.Points(1.2)
		out.Add(line)
		// With many lines, those that stay at zero need no name.
		if name := strings.TrimSpace(l.Name); name != "" && (len(p.Lines) < 5 || line.XYs[len(line.XYs)-1].Y > 0) {
			out.Legend.Add(name, line)
		}
	}
	out.Y.Max *= 1.35 // room for the legend
	if out.Y.Max <= 0 {
		out.Y.Max = 1
	}
	return out, nil
}
