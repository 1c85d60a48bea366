// SPDX-License-Identifier: Apache-2.0

package term

import (
	"bytes"
	"testing"
)

// TestRenderer verifies that escape sequences reach a pipe only on request: programs
// that parse the output would stumble over them.
func TestRenderer(t *testing.T) {
	for name, c := range map[string]struct {
		color string
		env   map[string]string
		want  string
	}{
		"a pipe":                      {"auto", nil, "x"},
		"a pipe, forced":              {"auto", map[string]string{"CLICOLOR_FORCE": "1"}, "\x1b[32mx\x1b[0m"},
		"forced, but not":             {"auto", map[string]string{"CLICOLOR_FORCE": "0"}, "x"},
		"forced, but NO_COLOR":        {"auto", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, "x"},
		"always":                      {"always", map[string]string{"NO_COLOR": "1"}, "\x1b[32mx\x1b[0m"},
		"never, although it's forced": {"never", map[string]string{"CLICOLOR_FORCE": "1"}, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			if got := NewRenderer(&bytes.Buffer{}, c.color).Render("x", Good); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := (Renderer{Width: 3}).Fit("日本語"); got != "日" {
		t.Errorf("cut to three columns: got %q, want one wide letter", got)
	}
}

// TestBar verifies that any time that is left shows, and that a terminal without Unicode
// gets ASCII.
func TestBar(t *testing.T) {
	for _, locale := range []struct {
		lang string
		want map[float64]string
	}{
		{"C", map[float64]string{
			-1: "..........", 0: "..........", 0.001: "#.........", 0.5: "#####.....", 1: "##########", 7: "##########",
		}},
		{"de_DE.UTF-8", map[float64]string{0.25: "███░░░░░░░"}},
	} {
		t.Setenv("LC_ALL", locale.lang)
		for share, want := range locale.want {
			if got := Bar(share); got != want {
				t.Errorf("%s: %v: got %q, want %q", locale.lang, share, got, want)
			}
		}
	}
}
