// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pinned matches an action that is named by its commit, with its version for readers.
var pinned = regexp.MustCompile(`^\s+(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// Without this test, the owner of an action could move a tag, and so change what a
// release contains, with the rights of the workflow.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root(t), ".github", "workflows", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "\npermissions: {}\n") {
			t.Errorf("%s gives rights to all its jobs", filepath.Base(f))
		}
		for i, line := range strings.Split(string(b), "\n") {
			if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s:%d: not named by commit and version: %s", filepath.Base(f), i+1, strings.TrimSpace(line))
			}
		}
	}
}
