// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocsNameFilesThatExist fails if docs/architecture.md or CONTRIBUTING.md names a
// file that does not exist, for example because it was renamed.
func TestDocsNameFilesThatExist(t *testing.T) {
	for _, page := range []string{"docs/architecture.md", "CONTRIBUTING.md"} {
		b, err := os.ReadFile(filepath.Join(root(t), page))
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`((?:api|cmd|deploy|docs|hack|internal|pkg|plugins|test)/[^` ]+)`").
			FindAllStringSubmatch(string(b), -1)
		if len(named) == 0 {
			t.Errorf("%s names no file", page)
		}
		for _, n := range named {
			if _, err := os.Stat(filepath.Join(root(t), n[1])); err != nil {
				t.Errorf("%s names %s: %v", page, n[1], err)
			}
		}
	}
}

// TestPagesShowExamples fails if a block of a page, whose first line is a comment with the name
// of an example, is not that file, which tests run.
func TestPagesShowExamples(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```(?:yaml|sh|hcl)\n# (examples/\\S+)\n(.*?)^```$")
	shown := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(b), -1) {
			shown++
			file, err := os.ReadFile(filepath.Join(root(t), m[1]))
			if err != nil || string(file) != m[2] {
				t.Errorf("%s does not show %s as it is: %v", filepath.Base(page), m[1], err)
			}
		}
	}
	if shown < 12 {
		t.Errorf("%d examples are shown, want 12: the comment with the name is missing in some", shown)
	}
}
