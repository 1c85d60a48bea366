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

// tone is what a colour stands for; the text says the same.
type tone int

const (
	plain tone = iota
	good
	warn
	bad
	dim
	strong
)

// style is how text looks on one writer. Only the terminal's own sixteen colours
// are used: they can be read on its background, whatever that is.
type style struct {
	tones map[tone]lipgloss.Style
	width int // of the terminal; 0 where nothing bounds a line
	live  bool
}

// style decides once what w can show. Colour: a terminal that can, and no NO_COLOR,
// as kubectl decides; or CLICOLOR_FORCE; or what --color says.
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

// cells is how many columns of a terminal a text takes.
func cells(s string) int { return lipgloss.Width(s) }

// fit cuts a line that a terminal would break, colours or not.
func (s style) fit(line string) string {
	if s.width == 0 {
		return line
	}
	return lipgloss.NewStyle().MaxWidth(s.width).Render(line)
}

// bar shows how much is left, of ten cells; where the terminal's letters are not
// known to be Unicode, in ASCII.
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

// unicodeTerminal tells whether the locale says UTF-8, by the rule of POSIX about
// which variable counts.
func unicodeTerminal() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return os.Getenv("WT_SESSION") != "" || os.Getenv("TERM_PROGRAM") != ""
}

// height is that of the terminal w in lines; 0 if it is none.
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

// width is that of the terminal w; 0 if it is none.
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
