// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
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

// words lists words that say less than a technical term: comments, messages and pages
// name the user, the client or the request, and use the terms of Kubernetes.
var words = regexp.MustCompile(`(?i)\b(somebody|nobody|anybody|everybody|whoever|whom|anew|tells\s+whether|in\s+line)\b`)

// width is the number of characters that a line of Go may have; a tab counts as one.
const width = 120

// allowed lists the directories in which words or wide lines remain, and their number.
// The numbers may only decrease: a directory with fewer fails the test, too, until its
// number here is lowered.
var allowed = map[string]struct{ words, wide int }{
	"hack/screenshots": {0, 5},
	"pkg/broker":       {1, 0}, // the user name "nobody"
	"test/e2e":         {0, 42},
}

// TestWords fails if a Go file (in a comment or a string), a manifest or a page contains
// one of the words, or if a line of Go is too wide.
func TestWords(t *testing.T) {
	root := root(t)
	found, wide := map[string][]string{}, map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		switch name := filepath.ToSlash(rel); {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || name == "bin" || name == "dist"):
			return filepath.SkipDir
		case d.IsDir(), name == "test/arch/words_test.go", name == "docs/cli.md", // written by make generate
			strings.HasPrefix(name, "deploy/base/crd/"), strings.Contains(name, "zz_generated"):
			return nil
		case strings.HasSuffix(name, ".go"), strings.HasSuffix(name, ".md"), strings.HasSuffix(name, ".yaml") &&
			(strings.HasPrefix(name, "deploy/") || strings.HasPrefix(name, "examples/")):
			return inspect(path, name, found, wide)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, a := range allowed {
		compareCount(t, dir, "words", found[dir], a.words)
		compareCount(t, dir, "wide lines", wide[dir], a.wide)
	}
	compareCount(t, "", "words", found[""], 0)
	compareCount(t, "", "wide lines", wide[""], 0)
}

func compareCount(t *testing.T, dir, what string, places []string, want int) {
	t.Helper()
	switch n := len(places); {
	case n > want:
		t.Errorf("%s: %d %s, allowed are %d:\n%s", dir, n, what, want, strings.Join(places, "\n"))
	case n < want:
		t.Errorf("%s: %d %s, fewer than the %d that are allowed: lower the number in words_test.go", dir, n, what, want)
	}
}

// inspect adds the places in a file to the entry of its directory in allowed, or else
// to that of the empty name.
func inspect(path, name string, found, wide map[string][]string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	dir := ""
	for d := range allowed {
		if strings.HasPrefix(name, d+"/") {
			dir = d
		}
	}
	add := func(line int, text string) {
		for _, at := range words.FindAllStringIndex(text, -1) {
			before := strings.Count(text[:at[0]], "\n")
			found[dir] = append(found[dir], fmt.Sprintf("%s:%d: %s", name, line+before, text[at[0]:at[1]]))
		}
	}
	if !strings.HasSuffix(name, ".go") {
		add(1, string(b))
		return nil
	}
	fset := token.NewFileSet()
	file := fset.AddFile(name, -1, len(b))
	var s scanner.Scanner
	s.Init(file, b, nil, scanner.ScanComments)
	for pos, tok, text := s.Scan(); tok != token.EOF; pos, tok, text = s.Scan() {
		if tok == token.COMMENT || tok == token.STRING {
			add(file.Line(pos), text)
		}
	}
	for i, line := range strings.Split(string(b), "\n") {
		if strings.Contains(line, "// +kubebuilder:") { // controller-gen reads a marker from one line
			continue
		}
		if utf8.RuneCountInString(line) > width {
			wide[dir] = append(wide[dir], fmt.Sprintf("%s:%d", name, i+1))
		}
	}
	return nil
}
