// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/printers"
)

// tone is the meaning of a colour; the text always states it too.
type tone int

const (
	plain tone = iota
	good
	warn
	bad
	dim
	strong
)

// style renders text for one writer. It uses only the terminal's own sixteen colours,
// which are readable on any background.
type style struct {
	tones map[tone]lipgloss.Style
	width int // terminal width; 0 is unlimited
	live  bool
}

// style returns the style for w. As in kubectl, colour needs a capable terminal and no
// NO_COLOR. CLICOLOR_FORCE stands in for the terminal; --color overrides all of it.
func (f *factory) style(w io.Writer) style {
	s := style{width: width(w)}
	s.live = s.width > 0 && os.Getenv("TERM") != "dumb"
	_, no := os.LookupEnv("NO_COLOR")
	force := os.Getenv("CLICOLOR_FORCE")
	colour := printers.AllowsColorOutput(w) && os.Getenv("CLICOLOR") != "0" || force != "" && force != "0" && !no
	if f.colour == "never" || f.colour != "always" && !colour {
		return s
	}
	r := lipgloss.NewRenderer(w)
	r.SetColorProfile(termenv.ANSI)
	ansi := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	s.tones = map[tone]lipgloss.Style{
		good: ansi("2"), warn: ansi("3"), bad: ansi("1").Bold(true), dim: r.NewStyle().Faint(true), strong: r.NewStyle().Bold(true),
	}
	return s
}

func (s style) apply(text string, t tone) string {
	if st, ok := s.tones[t]; ok && text != "" {
		return st.Render(text)
	}
	return text
}

// cells returns the number of terminal columns that s takes.
func cells(s string) int { return lipgloss.Width(s) }

// fit cuts a line to the terminal width, ignoring colour codes.
func (s style) fit(line string) string {
	if s.width == 0 {
		return line
	}
	return lipgloss.NewStyle().MaxWidth(s.width).Render(line)
}

// bar renders a share as a bar of ten cells, in ASCII unless the terminal is known to
// be Unicode.
func (s style) bar(share float64) string {
	full, rest := "█", "░"
	if !unicodeTerminal() {
		full, rest = "#", "."
	}
	const cells = 10
	n := min(max(int(share*cells+0.5), 0), cells)
	if n == 0 && share > 0 {
		n = 1
	}
	return strings.Repeat(full, n) + strings.Repeat(rest, cells-n)
}

// unicodeTerminal reports whether the locale is UTF-8, with the precedence of variables
// that POSIX defines.
func unicodeTerminal() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return os.Getenv("WT_SESSION") != "" || os.Getenv("TERM_PROGRAM") != ""
}

// height returns the height of the terminal w in lines; 0 if w is no terminal.
func height(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	_, rows, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return rows
}

// width returns the width of the terminal w in columns; 0 if w is no terminal.
func width(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	cols, _, err := term.GetSize(int(file.Fd()))
	if err != nil || cols <= 0 {
		return 80
	}
	return cols
}
