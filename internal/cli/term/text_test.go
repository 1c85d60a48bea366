// SPDX-License-Identifier: Apache-2.0

package term

import "testing"

// Text from others must not move the cursor, color the screen or break lines.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\x1b[31mb": "a\uFFFD[31mb", "a\nb\tc": "a b c", "\u202Egnp": "\uFFFDgnp", "a\x00b": "a\uFFFDb",
		"日本 ü": "日本 ü", "\x9b31m": "\uFFFD31m",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
