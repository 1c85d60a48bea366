// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// width is the number of characters that a line of Go may have; a tab counts as one.
const width = 120

// TestWords fails if a Go file (in a comment or a string), a manifest or a page contains
// one of the phrases in testdata/words.txt, or if a line of Go is too wide.
func TestWords(t *testing.T) {
	root, words := root(t), words(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		name := filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || name == "bin" || name == "dist"):
			return filepath.SkipDir
		case d.IsDir(), strings.HasPrefix(name, "deploy/base/crd/"), strings.Contains(name, "zz_generated"):
			return nil
		case strings.HasSuffix(name, ".md"), strings.HasSuffix(name, ".yaml") &&
			(strings.HasPrefix(name, "deploy/") || strings.HasPrefix(name, "examples/")):
			b, err := os.ReadFile(path)
			reportWords(t, words, name, 1, string(b))
			return err
		case strings.HasSuffix(name, ".go"):
			b, err := os.ReadFile(path)
			inspectGo(t, words, name, b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// words matches the phrases in testdata/words.txt, which say less than a technical term:
// comments, messages and pages name the user, the client or the request, and use the
// terms of Kubernetes.
func words(t *testing.T) *regexp.Regexp {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	phrases := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i, p := range phrases {
		phrases[i] = strings.ReplaceAll(regexp.QuoteMeta(p), " ", `\s+`)
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(phrases, "|") + `)\b`)
}

// reportWords reports the phrases in text, which begins at a line of a file.
func reportWords(t *testing.T, words *regexp.Regexp, name string, line int, text string) {
	t.Helper()
	for _, at := range words.FindAllStringIndex(text, -1) {
		t.Errorf("%s:%d: %q is not plain technical English",
			name, line+strings.Count(text[:at[0]], "\n"), text[at[0]:at[1]])
	}
}

// inspectGo reports the phrases in comments and strings of a Go file, and wide lines.
func inspectGo(t *testing.T, words *regexp.Regexp, name string, source []byte) {
	t.Helper()
	file := token.NewFileSet().AddFile(name, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for pos, tok, text := s.Scan(); tok != token.EOF; pos, tok, text = s.Scan() {
		if tok == token.COMMENT || tok == token.STRING {
			reportWords(t, words, name, file.Line(pos), text)
		}
	}
	for i, line := range strings.Split(string(source), "\n") {
		marker := strings.Contains(line, "// +kubebuilder:") // controller-gen reads it from one line
		if n := utf8.RuneCountInString(line); n > width && !marker {
			t.Errorf("%s:%d: %d characters, at most %d", name, i+1, n, width)
		}
	}
}
