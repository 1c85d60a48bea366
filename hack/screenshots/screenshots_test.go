// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The committed screenshots must match the list of screenshots, be complete and small, show
// the required content and nothing of the machine that they were created on, and use no
// other files.
func TestCommittedScreenshots(t *testing.T) {
	files, err := filepath.Glob("../../docs/pictures/*")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range screenshots {
		path := "../../docs/pictures/" + p.name + ".svg"
		want = append(want, path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		drawn, described, err := read(b)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := p.check(described); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		// Without spaces, and without bars, which are drawn as shapes.
		bare := func(s string) string { return regexp.MustCompile(`[\s█░]`).ReplaceAllString(s, "") }
		if bare(drawn) != bare(described) {
			t.Errorf("%s shows %q and describes %q", path, drawn, described)
		}
		if found := regexp.MustCompile(`(?i)<(script|style|image|use|a|foreignObject)\b|\bon\w+=|href|url\(|@import`).
			Find(b); found != nil {
			t.Errorf("%s contains %q", path, found)
		}
		if len(b) > 10_000 {
			t.Errorf("%s has %d bytes", path, len(b))
		}
	}
	slices.Sort(want)
	if !slices.Equal(files, want) {
		t.Errorf("the files are %v, want %v", files, want)
	}
}

// read returns the text that an SVG draws, and its description for screen readers.
func read(b []byte) (drawn, described string, err error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	var in []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return drawn, described, nil
		}
		if err != nil {
			return "", "", err
		}
		switch e := token.(type) {
		case xml.StartElement:
			in = append(in, e.Name.Local)
		case xml.EndElement:
			in = in[:len(in)-1]
		case xml.CharData:
			switch {
			case len(in) == 0:
			case in[len(in)-1] == "text":
				drawn += string(e)
			case in[len(in)-1] == "desc":
				described += string(e)
			}
		}
	}
}

// Every screenshot must be used on a page, with an alternative text, and every screenshot
// that a page uses must exist.
func TestScreenshotsAreUsed(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, page := range append(pages, "../../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`!\[([^\]]*)\]\(([^)]*)\)`).FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[2])); err != nil || len(m[1]) < 20 {
				t.Errorf("%s: %s: the file does not exist, or has no description", page, m[0])
			}
			shown[strings.TrimSuffix(filepath.Base(m[2]), ".svg")] = true
		}
	}
	for _, p := range screenshots {
		if !shown[p.name] {
			t.Errorf("no page shows %s", p.name)
		}
	}
}

// All text must be readable: a contrast of at least 4.5 to 1, as WCAG 2 requires.
func TestContrast(t *testing.T) {
	for _, c := range append(palette[:], foreground, faint) {
		if ratio := contrast(t, c, background); ratio < 4.5 {
			t.Errorf("%s on %s: %.1f to 1", c, background, ratio)
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(color string) float64 {
		var rgb [3]uint8
		if _, err := fmt.Sscanf(color, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, share := range []float64{0.2126, 0.7152, 0.0722} {
			v := float64(rgb[i]) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += share * v
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestCheck(t *testing.T) {
	p := screenshot{want: []string{"^a$", "^b"}}
	for text, ok := range map[string]bool{
		"a\nx\nbc": true, "b\na": false, "a": false, "a\nb /tmp/x": false, "a\nb https://127.0.0.1:1": false,
		"a\nb ~/.kube/config": true, `a` + "\n" + `b "/root"`: false, "a\nb namespace/tmp-x": true,
	} {
		if err := p.check(text); (err == nil) != ok {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestRuns(t *testing.T) {
	s, err := interpret([]byte("*   ab c   \x1b[1md\x1b[0m █░ e"), 80)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range runs(s.lines[0]) {
		got = append(got, fmt.Sprintf("%d:%s", r.at, string(r.text)))
	}
	if want := []string{"0:*", "4:ab c", "11:d", "13:█░", "16:e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
