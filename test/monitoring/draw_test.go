// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// draw writes the data of all panels to a file, from which bin/tools/plot draws the picture of
// the documentation.
func (p prometheus) draw(t *testing.T, m model, from time.Time, path string) {
	t.Helper()
	type line struct {
		Name   string       `json:"name"`
		Points [][2]float64 `json:"points"`
	}
	type drawn struct {
		Title, Unit, Type string
		Lines             []line
	}
	var out []drawn
	for _, panel := range m.Panels {
		d := drawn{Title: panel.Title, Unit: panel.FieldConfig.Defaults.Unit, Type: panel.Type}
		for _, target := range panel.Targets {
			found, err := p.ask("/api/v1/query_range", url.Values{"query": {grafana(target.Expr)}, "step": {"2"},
				"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(time.Now().Unix(), 10)}})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range found {
				name := target.LegendFormat
				for k, v := range s.Metric {
					name = strings.ReplaceAll(name, "{{"+k+"}}", v)
				}
				l := line{Name: name}
				for _, v := range s.Values {
					if y, err := strconv.ParseFloat(v[1].(string), 64); err == nil && !math.IsNaN(y) {
						l.Points = append(l.Points, [2]float64{v[0].(float64) - float64(from.Unix()), y})
					}
				}
				d.Lines = append(d.Lines, l)
			}
		}
		out = append(out, d)
	}
	b, err := json.Marshal(out)
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
