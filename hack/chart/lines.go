// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// hunk replaces lines [from, to) of a document under a condition.
type hunk struct {
	from, to  int
	lines     []string
	condition string
}

// indent returns the indentation of the first line.
func (h *hunk) indent() int {
	if len(h.lines) == 0 {
		return 0
	}
	return len(h.lines[0]) - len(strings.TrimLeft(h.lines[0], " "))
}

// differences returns the hunks that turn one document into another, by their longest common
// subsequence of lines.
func differences(before, after, condition string) []hunk {
	a, b := splitLines(before), splitLines(after)
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []hunk
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && a[i] == b[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{from: i, condition: condition}
		for (i < len(a) || j < len(b)) && (i == len(a) || j == len(b) || a[i] != b[j]) {
			if j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				h.lines = append(h.lines, b[j])
				j++
			}
		}
		h.to = i
		out = append(out, h)
	}
	return out
}

// merge applies hunks to a document, each as a condition of a template.
func merge(doc string, hunks []hunk) (string, error) {
	slices.SortStableFunc(hunks, func(a, b hunk) int {
		// Of several insertions at one place, what continues the innermost list comes first.
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(b.indent(), a.indent()))
	})
	lines := splitLines(doc)
	var out strings.Builder
	next := 0
	for _, h := range hunks {
		if h.from < next {
			return "", errors.New("two values change the same line")
		}
		out.WriteString(strings.Join(lines[next:h.from], ""))
		old := strings.Join(lines[h.from:h.to], "")
		switch {
		case len(h.lines) == 0:
			out.WriteString("{{- if not (" + h.condition + ") }}\n" + old)
		case old == "":
			out.WriteString("{{- if " + h.condition + " }}\n" + strings.Join(h.lines, ""))
		default:
			out.WriteString("{{- if " + h.condition + " }}\n" + strings.Join(h.lines, "") + "{{- else }}\n" + old)
		}
		out.WriteString("{{- end }}\n")
		next = h.to
	}
	out.WriteString(strings.Join(lines[next:], ""))
	return out.String(), nil
}

func splitLines(s string) []string { return slices.Collect(strings.Lines(s)) }
