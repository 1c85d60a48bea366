// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestSharedVersions fails if tenama and the control plane of the tests require
// different versions of a module. Go would then compile the module, and every package
// that imports it, twice, and the first build would take half as long again.
func TestSharedVersions(t *testing.T) {
	ours, cluster := versions(t, "go.mod"), versions(t, "test", "cluster", "go.mod")
	shared := 0
	for module, version := range ours {
		theirs, ok := cluster[module]
		if !ok {
			continue
		}
		if shared++; theirs != version {
			t.Errorf("go.mod has %s %s, test/cluster/go.mod has %s", module, version, theirs)
		}
	}
	if shared < 80 {
		t.Errorf("only %d modules are shared", shared)
	}
}

// versions reads the requirements of a go.mod; a replacement by another version counts.
func versions(t *testing.T, path ...string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{root(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)`).FindAllStringSubmatch(string(b), -1) {
		out[m[1]] = m[2]
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) => \S+ (v\S+)`).FindAllStringSubmatch(string(b), -1) {
		out[m[1]] = m[2]
	}
	return out
}
