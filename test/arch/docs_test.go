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
