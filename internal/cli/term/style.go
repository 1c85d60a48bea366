// SPDX-License-Identifier: Apache-2.0

package term

import (
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/printers"
)

// Style is the meaning of a color.
type Style int

// The styles; the zero value is unstyled text.
const (
	Plain Style = iota
	Good
	Warning
	Bad
	Dim
)

// Renderer renders text for one writer. The zero value renders plain text of unlimited
// width.
type Renderer struct {
	Width int  // width of the terminal; 0 is unlimited
	Live  bool // lines can be updated in place

	styles map[Style]lipgloss.Style
}

// NewRenderer returns the renderer for w. With color "auto", color needs a capable
// terminal and no NO_COLOR, as in kubectl; CLICOLOR_FORCE replaces the terminal. "always"
// and "never" override all of it.
func NewRenderer(w io.Writer, color string) Renderer {
	out := Renderer{Width: width(w)}
	out.Live = out.Width > 0 && os.Getenv("TERM") != "dumb" && os.Getenv("TENAMA_NO_ANIMATION") == ""
	_, no := os.LookupEnv("NO_COLOR")
	force := os.Getenv("CLICOLOR_FORCE")
	auto := printers.AllowsColorOutput(w) && os.Getenv("CLICOLOR") != "0" || force != "" && force != "0" && !no
	if color == "never" || color != "always" && !auto {
		return out
	}
	r := lipgloss.NewRenderer(w)
	r.SetColorProfile(termenv.ANSI)
	ansi := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	out.styles = map[Style]lipgloss.Style{
		Good: ansi("2"), Warning: ansi("3"), Bad: ansi("1").Bold(true), Dim: r.NewStyle().Faint(true),
	}
	return out
}

// Resized returns r with the present width of the terminal w.
func (r Renderer) Resized(w io.Writer) Renderer {
	r.Width = width(w)
	return r
}

// Render returns text in a style.
func (r Renderer) Render(text string, s Style) string {
	if st, ok := r.styles[s]; ok && text != "" {
		return st.Render(text)
	}
	return text
}

// Fit cuts a rendered line to the width of the terminal.
func (r Renderer) Fit(line string) string {
	if r.Width == 0 {
		return line
	}
	return lipgloss.NewStyle().MaxWidth(r.Width).Render(line)
}

// cells returns the number of terminal columns of s.
func cells(s string) int { return lipgloss.Width(s) }

// Bar renders a share as a bar of ten cells, in ASCII unless the terminal is known to be
// Unicode.
func Bar(share float64) string {
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

// isTerminal returns the file descriptor of v, if it is a terminal.
func isTerminal(v any) (fd int, ok bool) {
	file, ok := v.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	return int(file.Fd()), true
}

// Height returns the height of the terminal w in lines; 0 if w is not a terminal.
func Height(w io.Writer) int {
	fd, ok := isTerminal(w)
	if !ok {
		return 0
	}
	_, rows, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return rows
}

// width returns the width of the terminal w in columns; 0 if w is not a terminal.
func width(w io.Writer) int {
	fd, ok := isTerminal(w)
	if !ok {
		return 0
	}
	cols, _, err := term.GetSize(fd)
	if err != nil || cols <= 0 {
		return 80
	}
	return cols
}
