// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestInterpret(t *testing.T) {
	for _, c := range []struct{ name, sent, want string }{
		{"lines", "a\r\nb\r\n", "a|b"},
		{"a line feed keeps the column", "ab\nc", "ab|  c"},
		{"carriage return", "abc\rx", "xbc"},
		{"a full line breaks before the next character", "12345678\r\nx", "12345678|x"},
		{"a full line does not break", "123456789", "12345678|9"},
		{"erase to the end of the line", "abc\r\x1b[K", ""},
		{"erase from the cursor", "abcd\rab\x1b[0Kx", "abx"},
		{"erase below", "a\r\nb\r\nc\r\n\x1b[2A\r\x1b[Jx", "a|x"},
		{"up moves one line by default, and stops at the top", "a\r\nb\x1b[A\x1b[9Ac", "ac|b"},
		{"a view that is redrawn", "\x1b[?25la\r\nb\r\n\x1b[2A\r\x1b[Jc\r\n\x1b[?25h", "c"},
		{"colors have no width", "\x1b[1;31mno\x1b[0m \x1b[2mx\x1b[22m\x1b[39m", "no x"},
		{"characters outside ASCII", "█░é", "█░é"},
	} {
		s, err := interpret([]byte(c.sent), 8)
		if got := strings.Join(s.rows(), "|"); err != nil || got != c.want {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
	}
}

func TestInterpretLooks(t *testing.T) {
	s, err := interpret([]byte("a\x1b[1;31mb\x1b[mc\x1b[2md\x1b[92me\x1b[39mf\x1b[22mg"), 20)
	if err != nil {
		t.Fatal(err)
	}
	want := []glyph{
		{'a', look{}}, {'b', look{2, true, false}}, {'c', look{}}, {'d', look{0, false, true}},
		{'e', look{11, false, true}}, {'f', look{0, false, true}}, {'g', look{}},
	}
	if !slices.Equal(s.lines[0], want) {
		t.Errorf("got %v, want %v", s.lines[0], want)
	}
}

// An unknown sequence must be an error rather than cause a wrong screenshot.
func TestInterpretUnknown(t *testing.T) {
	for _, sent := range []string{
		"\x1b[5;5H", "\x1b[2J", "\x1b[1K", "\x1b[4m", "\x1b[38;5;9m", "\x1b[?1049h", "\x1b]0;title\a", "\x1bM", "\x1b[3",
		"\a", "\t", "\xff",
	} {
		if _, err := interpret([]byte(sent), 8); err == nil {
			t.Errorf("%q is accepted", sent)
		}
	}
}
