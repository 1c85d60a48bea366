// SPDX-License-Identifier: Apache-2.0

package term

import (
	"io"
	"slices"
	"strings"
)

// Cell is one cell of a table.
type Cell struct {
	Text  string
	Style Style
}

// Table prints as kubectl's: upper-case headings, three spaces between columns, no
// borders. Cells are padded before they are colored. On a narrow terminal, long cells of the
// column Long get lines that are longer than the others; if that is not enough, columns are
// dropped rather than lines wrapped.
type Table struct {
	Head []string
	Rows [][]Cell
	Long int   // column with the names; 0 for none
	Drop []int // columns that may be dropped, in this order

	Widths  []int    // minimum column widths; after printing, the widths used
	Dropped []string // after printing, the headings of the columns that were dropped
}

// minLong is the width that the column Long keeps.
const minLong = 20

const gap = 3

// Print writes the table to w.
func (t *Table) Print(w io.Writer, r Renderer) error {
	for _, line := range t.Lines(r) {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// Lines returns the lines that Print writes.
func (t *Table) Lines(r Renderer) []string {
	var rows [][]Cell
	if len(t.Head) > 0 {
		head := make([]Cell, len(t.Head))
		for i, h := range t.Head {
			head[i] = Cell{Text: h}
		}
		rows = append(rows, head)
	}
	rows = append(rows, t.Rows...)
	widths := t.Widths
	for _, row := range rows {
		for i := range row {
			row[i].Text = Clean(row[i].Text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(row[i].Text))
		}
	}
	t.Widths = widths
	widths = slices.Clone(widths)
	shown := t.fit(widths, r.Width)
	t.Dropped = nil
	for i, head := range t.Head {
		if !slices.Contains(shown, i) {
			t.Dropped = append(t.Dropped, head)
		}
	}
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		pad := 0
		for i, c := range row {
			if !slices.Contains(shown, i) {
				continue
			}
			b.WriteString(strings.Repeat(" ", pad))
			b.WriteString(r.Render(c.Text, c.Style))
			pad = max(widths[i]-cells(c.Text), 0) + gap
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// fit returns the columns that fit the given width, and narrows the column Long; a width of 0
// is unlimited.
func (t *Table) fit(widths []int, width int) []int {
	shown := make([]int, len(widths))
	for i := range widths {
		shown[i] = i
	}
	excess := func() int {
		total := -gap
		for _, i := range shown {
			total += widths[i] + gap
		}
		return total - width
	}
	if over := excess(); width > 0 && over > 0 && t.Long > 0 && t.Long < len(widths) {
		widths[t.Long] = max(widths[t.Long]-over, min(widths[t.Long], minLong))
	}
	for _, next := range t.Drop {
		if width == 0 || excess() <= 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == next })
	}
	return shown
}
