// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// cell is one field of a table.
type cell struct {
	text string
	tone tone
}

// table prints as kubectl's: capital heads, three spaces between columns, no
// borders. It is padded first and coloured after.
type table struct {
	head []string
	rows [][]cell
}

func (t *table) print(w io.Writer) {
	var lines [][]cell
	if len(t.head) > 0 {
		head := make([]cell, len(t.head))
		for i, h := range t.head {
			head[i] = cell{text: h}
		}
		lines = append(lines, head)
	}
	lines = append(lines, t.rows...)
	var widths []int
	for _, line := range lines {
		for i := range line {
			line[i].text = clean(line[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i].text))
		}
	}
	style := newStyle(w)
	for _, line := range lines {
		var b strings.Builder
		for i, c := range line {
			text := style.apply(c.text, c.tone)
			if i < len(line)-1 {
				text += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+3)
			}
			b.WriteString(text)
		}
		_, _ = io.WriteString(w, strings.TrimRight(b.String(), " ")+"\n")
	}
}
