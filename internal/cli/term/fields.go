// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"io"
)

// Fields prints "Name: value" lines with aligned values, as kubectl describe does.
type Fields struct{ rows [][2]string }

// Add adds a line, unless the value is empty.
func (f *Fields) Add(name, value string) {
	if value != "" {
		f.rows = append(f.rows, [2]string{name + ":", value})
	}
}

// Print prints the lines.
func (f *Fields) Print(w io.Writer) {
	width := 0
	for _, r := range f.rows {
		width = max(width, len(r[0]))
	}
	for _, r := range f.rows {
		_, _ = fmt.Fprintf(w, "%-*s  %s\n", width, r[0], Clean(r[1]))
	}
}
