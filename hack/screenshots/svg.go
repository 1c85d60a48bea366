// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes in pixels. Fonts differ in the width of their characters: every run of
// characters has a fixed position and length, so that columns are aligned with every
// font.
const (
	fontSize   = 14
	cellWidth  = 8.4
	lineHeight = 20
	padding    = 20
	barHeight  = 34
)

const (
	fonts      = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
	background = "#161b22"
	border     = "#3d444d"
	dots       = "#484f58"
	foreground = "#e6edf3"
	faint      = "#9ea7b3"
)

// palette contains the sixteen colors, each readable on the background.
var palette = [16]string{
	"#8b949e", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#d0d7de",
	"#9ea7b3", "#ffa198", "#7ee787", "#f2cc60", "#a5d6ff", "#e2c5ff", "#76e3ea", "#f0f6fc",
}

func (l look) fill() string {
	switch {
	case l.color > 0:
		return palette[l.color-1]
	case l.faint:
		return faint
	}
	return foreground
}

// svg draws a screen as a window. Its text is also the description, for screen readers.
func svg(title string, s *screen) []byte {
	rows := s.rows()
	width, height := float64(s.cols)*cellWidth+2*padding, barHeight+len(rows)*lineHeight+padding
	var b bytes.Buffer
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img" `+
			`aria-labelledby="title text">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n<desc id=\"text\">%s</desc>\n", escape(title),
		escape(strings.Join(rows, "\n")))
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%.0f" height="%d" rx="10" fill="%s" stroke="%s"/>`+"\n", width-1, height-1,
		background, border)
	for i := range 3 {
		fmt.Fprintf(&b, `<circle cx="%d" cy="18" r="5" fill="%s"/>`, padding+5+i*18, dots)
	}
	fmt.Fprintf(&b, "\n<g font-family=\"%s\" font-size=\"%d\" fill=\"%s\">\n", fonts, fontSize, foreground)
	for i := range rows {
		y := barHeight + i*lineHeight
		for _, r := range runs(s.lines[i]) {
			r.draw(&b, y)
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// run is a sequence of characters of one line with the same look.
type run struct {
	at   int
	text []rune
	look look
}

// runs returns the runs of a line. A run contains only single spaces between
// characters, so that text in a column starts a new run.
func runs(line []glyph) []run {
	var all []run
	spaces := 2 // since the last character
	for i, g := range line {
		if g.r == ' ' {
			spaces++
			continue
		}
		if last := len(all) - 1; spaces < 2 && last >= 0 && all[last].look == g.look &&
			isBar(g.r) == isBar(all[last].text[0]) {
			if spaces == 1 {
				all[last].text = append(all[last].text, ' ')
			}
			all[last].text = append(all[last].text, g.r)
		} else {
			all = append(all, run{i, []rune{g.r}, g.look})
		}
		spaces = 0
	}
	return all
}

func isBar(r rune) bool { return r == '█' || r == '░' }

func (r run) draw(b *bytes.Buffer, y int) {
	x := func(cells int) float64 { return padding + float64(r.at+cells)*cellWidth }
	if isBar(r.text[0]) { // fonts leave gaps between them
		full := strings.Count(string(r.text), "█")
		rect := func(from, to int, opacity string) {
			if from < to {
				fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="12" fill="%s"%s/>`+"\n", x(from), y+4,
					float64(to-from)*cellWidth, r.look.fill(), opacity)
			}
		}
		rect(0, full, "")
		rect(full, len(r.text), ` fill-opacity=".25"`)
		return
	}
	attributes := ""
	if fill := r.look.fill(); fill != foreground {
		attributes += fmt.Sprintf(` fill="%s"`, fill)
	}
	if r.look.bold {
		attributes += ` font-weight="bold"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n",
		x(0), y+14, float64(len(r.text))*cellWidth, attributes, escape(string(r.text)))
}

func escape(s string) string {
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") { // EscapeText would escape line feeds
		if i > 0 {
			b.WriteByte('\n')
		}
		_ = xml.EscapeText(&b, []byte(line))
	}
	return b.String()
}
