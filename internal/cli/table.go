// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"slices"
	"strings"
)

// cell is one field of a table.
type cell struct {
	text string
	tone tone
}

// table prints as kubectl's: upper-case headings, three spaces between columns, no
// borders. Cells are padded before they are coloured. On a narrow terminal columns are
// dropped rather than lines wrapped.
type table struct {
	head []string
	rows [][]cell
	drop []int // columns that may be dropped, in this order

	widths []int // minimum column widths; after printing, the widths used
}

const gap = 3

func (t *table) print(w io.Writer, s style) error {
	for _, line := range t.lines(s) {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// lines returns the lines that print writes.
func (t *table) lines(s style) []string {
	var rows [][]cell
	if len(t.head) > 0 {
		head := make([]cell, len(t.head))
		for i, h := range t.head {
			head[i] = cell{text: h}
		}
		rows = append(rows, head)
	}
	rows = append(rows, t.rows...)
	widths := t.widths
	for _, row := range rows {
		for i := range row {
			row[i].text = clean(row[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(row[i].text))
		}
	}
	t.widths = widths
	shown := t.fit(widths, s.width)
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		pad := 0
		for i, c := range row {
			if !slices.Contains(shown, i) {
				continue
			}
			b.WriteString(strings.Repeat(" ", pad))
			b.WriteString(s.apply(c.text, c.tone))
			pad = widths[i] - cells(c.text) + gap
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// fit returns the columns that fit the given width; 0 is unlimited.
func (t *table) fit(widths []int, width int) []int {
	shown := make([]int, len(widths))
	for i := range widths {
		shown[i] = i
	}
	for _, next := range t.drop {
		total := -gap
		for _, i := range shown {
			total += widths[i] + gap
		}
		if width == 0 || total <= width {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == next })
	}
	return shown
}
