// SPDX-License-Identifier: Apache-2.0

package term

import (
	"strings"
	"unicode"
)

// Clean makes text of other users safe for a terminal and joins it to one line: control
// characters, escape sequences and direction marks are replaced.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, strings.Join(strings.Fields(s), " "))
}

// cut shortens s to at most the given number of terminal columns.
func cut(s string, width int) string {
	r := []rune(s)
	for len(r) > 0 && cells(string(r)) > width {
		r = r[:len(r)-1]
	}
	return string(r)
}

// capitalize returns s with its first letter in upper case.
func capitalize(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
