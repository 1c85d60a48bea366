// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the width of help texts: terminals have at least 80 columns.
const helpWidth = 80

// fitHelp makes the help of a command and its subcommands fit helpWidth.
func fitHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("wrapped", func(fs *pflag.FlagSet) string { return fs.FlagUsagesWrapped(helpWidth) })
	template := strings.ReplaceAll(root.UsageTemplate(), "{{.LocalFlags.FlagUsages", "{{wrapped .LocalFlags")
	root.SetUsageTemplate(strings.ReplaceAll(template, "{{.InheritedFlags.FlagUsages", "{{wrapped .InheritedFlags"))
	var fit func(*cobra.Command)
	fit = func(c *cobra.Command) {
		c.Long = fill(c.Long, helpWidth)
		for _, sub := range c.Commands() {
			fit(sub)
		}
	}
	fit(root)
}

// fill wraps the lines of each paragraph. Indented lines stay as they are.
func fill(text string, width int) string {
	var out []string
	line := ""
	flush := func() {
		if line != "" {
			out = append(out, line)
		}
		line = ""
	}
	for old := range strings.SplitSeq(text, "\n") {
		if old == "" || old[0] == ' ' {
			flush()
			out = append(out, old)
			continue
		}
		for word := range strings.FieldsSeq(old) {
			if line != "" && len(line)+1+len(word) > width {
				flush()
			}
			if line != "" {
				line += " "
			}
			line += word
		}
	}
	flush()
	return strings.Join(out, "\n")
}
