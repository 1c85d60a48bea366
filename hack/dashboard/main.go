// SPDX-License-Identifier: Apache-2.0

// Command dashboard writes the dashboard for Grafana, whose queries test/monitoring runs.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

const file = "deploy/components/grafana/tenama.json"

// width is the number of columns of a dashboard.
const width = 24

func main() {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(dashboard())
	if err == nil {
		err = os.WriteFile(file, b.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

type object map[string]any

// dashboard returns the model of the dashboard (Grafana's "dashboard JSON model").
func dashboard() object {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	var out []object
	id, y := 0, 0
	add := func(o object, x, w, h int) {
		id++
		o["id"], o["gridPos"] = id, object{"x": x, "y": y, "w": w, "h": h}
		out = append(out, o)
	}
	for _, r := range rows {
		add(object{"type": "row", "title": r.title, "collapsed": false, "panels": []object{}}, 0, width, 1)
		y++
		w := width / len(r.panels)
		height := 0
		for i, p := range r.panels {
			h := 8
			if p.kind == "stat" {
				h = 4
			}
			height = max(height, h)
			var targets []object
			for n, q := range p.queries {
				targets = append(targets, object{"refId": string(rune('A' + n)), "expr": q.expr, "legendFormat": q.legend,
					"datasource": source})
			}
			o := object{"type": p.kind, "title": p.title, "description": p.description, "datasource": source,
				"targets": targets, "fieldConfig": object{"defaults": p.defaults(), "overrides": []object{}}}
			if p.kind == "stat" {
				o["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "background"}
			} else {
				o["options"] = object{"legend": object{"displayMode": "list", "placement": "bottom"},
					"tooltip": object{"mode": "multi"}}
			}
			add(o, i*w, w, h)
		}
		y += height
	}
	return object{
		"uid": "tenama", "title": "tenama", "tags": []string{"tenama"}, "schemaVersion": 39, "version": 1, "editable": false,
		"description": "Temporary namespaces: creations, expiries, budgets, and the health of the broker.",
		"time":        object{"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "browser",
		"templating": object{"list": []object{{"name": "datasource", "label": "Data source", "type": "datasource",
			"query": "prometheus", "current": object{}, "hide": 0}}},
		"panels": out,
	}
}

// defaults returns how the values of a panel are shown.
func (p panel) defaults() object {
	d := object{"unit": p.unit, "min": 0}
	if len(p.colors) > 0 {
		d["thresholds"] = object{"mode": "absolute", "steps": p.colors}
	}
	if p.kind == "timeseries" {
		d["custom"] = object{"fillOpacity": 10, "showPoints": "never"}
	}
	return d
}
