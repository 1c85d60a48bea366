// SPDX-License-Identifier: Apache-2.0

package term

import (
	"strings"
	"testing"
)

// A narrow terminal drops the least needed columns, and wide letters count as two.
func TestTableFits(t *testing.T) {
	tab := &Table{
		Head: []string{"NAME", "LESS", "LEAST"},
		Drop: []int{2, 1},
		Rows: [][]Cell{{{Text: "日本"}, {Text: "b"}, {Text: "c"}}},
	}
	for width, want := range map[int]string{
		0: "NAME   LESS   LEAST|日本   b      c", 19: "NAME   LESS   LEAST|日本   b      c",
		18: "NAME   LESS|日本   b", 5: "NAME|日本",
	} {
		if got := strings.Join(tab.Lines(Renderer{Width: width}), "|"); got != want {
			t.Errorf("width %d: got %q, want %q", width, got, want)
		}
	}
}
