// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// TestHelpFits verifies that no line of help breaks on a terminal of 80 columns: a broken
// example cannot be copied.
func TestHelpFits(t *testing.T) {
	var out bytes.Buffer
	f := newFactory(genericiooptions.IOStreams{Out: &out, ErrOut: &out})
	root := newRootCommand(f, "kubectl-tenama")
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		out.Reset()
		_ = c.Help()
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

func TestFill(t *testing.T) {
	got := fill("one two three\nfour\n\n  kept  as it is, however long\nfive six", 12)
	if want := "one two\nthree four\n\n  kept  as it is, however long\nfive six"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
