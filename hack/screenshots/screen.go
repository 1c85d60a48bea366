// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// look is the appearance of a character; color is 0 for the default, or else 1 plus
// one of the sixteen colors.
type look struct {
	color       int
	bold, faint bool
}

// glyph is one character of a screen.
type glyph struct {
	r rune
	look
}

// screen is a terminal that understands the sequences that kubectl and its plugin send.
// Any other sequence is an error, so that no screenshot is wrong. A screen never scrolls;
// it grows. Every character is assumed to be one column wide.
type screen struct {
	cols     int
	lines    [][]glyph
	row, col int
	look     look
}

// sequence matches the text after ESC: parameters, and a letter for the function.
var sequence = regexp.MustCompile(`^\[(\??)([0-9;]*)([A-Za-z])`)

// interpret returns the screen of a terminal with cols columns after a program's
// output.
func interpret(sent []byte, cols int) (*screen, error) {
	s := &screen{cols: cols, lines: make([][]glyph, 1)}
	for len(sent) > 0 {
		r, n := utf8.DecodeRune(sent)
		rest := sent[n:]
		switch {
		case r == '\x1b':
			m := sequence.FindSubmatch(rest)
			if m == nil {
				return s, fmt.Errorf("unknown escape sequence %.12q", sent)
			}
			if err := s.control(string(m[1]), string(m[2]), m[3][0]); err != nil {
				return s, err
			}
			rest = rest[len(m[0]):]
		case r == '\r':
			s.col = 0
		case r == '\n':
			s.down()
		case r == utf8.RuneError || r < ' ' || r == 0x7f:
			return s, fmt.Errorf("unknown control character %q", r)
		default:
			s.put(r)
		}
		sent = rest
	}
	return s, nil
}

func (s *screen) down() {
	if s.row++; s.row == len(s.lines) {
		s.lines = append(s.lines, nil)
	}
}

// put writes a character; a full line breaks when the next character comes.
func (s *screen) put(r rune) {
	if s.col == s.cols {
		s.col = 0
		s.down()
	}
	line := s.lines[s.row]
	for len(line) <= s.col {
		line = append(line, glyph{r: ' '})
	}
	line[s.col] = glyph{r, s.look}
	s.lines[s.row] = line
	s.col++
}

// control executes a control sequence.
func (s *screen) control(private, parameters string, final byte) error {
	unknown := fmt.Errorf("unknown control sequence CSI %s%s%c", private, parameters, final)
	numbers := []int{}
	for p := range strings.SplitSeq(parameters, ";") {
		n, err := strconv.Atoi(p)
		if err != nil && p != "" {
			return unknown
		}
		numbers = append(numbers, n)
	}
	first := numbers[0]
	switch {
	case private == "?" && parameters == "25" && (final == 'h' || final == 'l'): // screenshots have no cursor
	case private != "":
		return unknown
	case final == 'A':
		s.row = max(s.row-max(first, 1), 0)
	case final == 'J' && first == 0:
		s.lines = s.lines[:s.row+1]
		s.erase()
	case final == 'K' && first == 0:
		s.erase()
	case final == 'm':
		for _, n := range numbers {
			if !s.render(n) {
				return unknown
			}
		}
	default:
		return unknown
	}
	return nil
}

// erase clears the line from the cursor on.
func (s *screen) erase() {
	if line := s.lines[s.row]; s.col < len(line) {
		s.lines[s.row] = line[:s.col]
	}
}

// render sets the appearance of the characters that follow (SGR).
func (s *screen) render(n int) bool {
	switch {
	case n == 0:
		s.look = look{}
	case n == 1:
		s.look.bold = true
	case n == 2:
		s.look.faint = true
	case n == 22:
		s.look.bold, s.look.faint = false, false
	case n >= 30 && n <= 37:
		s.look.color = n - 30 + 1
	case n >= 90 && n <= 97:
		s.look.color = n - 90 + 9
	case n == 39:
		s.look.color = 0
	default:
		return false
	}
	return true
}

// rows returns the lines up to the last that is not empty, as text.
func (s *screen) rows() []string {
	var rows []string
	last := 0
	for i, line := range s.lines {
		var b strings.Builder
		for _, g := range line {
			b.WriteRune(g.r)
		}
		rows = append(rows, strings.TrimRight(b.String(), " "))
		if rows[i] != "" {
			last = i + 1
		}
	}
	return rows[:last]
}
