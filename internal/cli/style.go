// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"os"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
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
)

// style colours text for one writer. Only the terminal's own sixteen colours
// are used: they can be read on its background, whatever that is.
type style struct {
	tones map[tone]lipgloss.Style
}

// newStyle decides once whether w gets colour: a terminal that can, and no
// NO_COLOR, as kubectl decides; or CLICOLOR_FORCE.
func newStyle(w io.Writer) style {
	_, no := os.LookupEnv("NO_COLOR")
	force := os.Getenv("CLICOLOR_FORCE")
	colour := printers.AllowsColorOutput(w) || force != "" && force != "0" && !no
	if !colour {
		return style{}
	}
	r := lipgloss.NewRenderer(w)
	r.SetColorProfile(termenv.ANSI)
	ansi := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	return style{map[tone]lipgloss.Style{good: ansi("2"), warn: ansi("3"), bad: ansi("1").Bold(true), dim: r.NewStyle().Faint(true)}}
}

func (s style) apply(text string, t tone) string {
	if st, ok := s.tones[t]; ok && text != "" {
		return st.Render(text)
	}
	return text
}
