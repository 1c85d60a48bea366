// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const referenceHead = `# kubectl tenama

<!-- Written by make generate from the commands themselves. -->

Flags come after the plugin's name: kubectl takes none before it. Where the current context is a temporary namespace, NAME
may be left out; a NAME gets the prefix of the installation (` + "`tmp-`" + `) unless it has it. Durations are such as 90m, 2h, 1d12h or
1w, a day having 24 hours.

stdout is the result, for the next program; everything else goes to stderr. With ` + "`-o json`" + ` and ` + "`-o yaml`" + ` so do errors, as a
` + "`Status`" + ` of Kubernetes, with a hint among its causes.

| exit code | |
|---|---|
| 0 | done, or so already |
| 1 | error |
| 3 | done in the cluster, but the kubeconfig was not changed |
| 4 | not logged in, or not allowed |
| 5 | no room in a budget |
| 124 | timed out |
| 126, 127 | ` + "`run`" + `: the command cannot be executed, or found |
| 130 | interrupted |

` + "`run`" + ` returns the exit code of its command, 128 and the number of a signal that ended it. On Windows kubectl makes 1 of every
code but 0.

| variable | |
|---|---|
| KUBECONFIG | as for kubectl |
| NO_COLOR, CLICOLOR, CLICOLOR_FORCE | colour, if --color does not say |
| TENAMA_NO_HINTS | if it is set, errors come without advice |
| CI | if it is set, nothing moves on a terminal while one waits |
| TENAMA_RUN, TENAMA_NAMESPACE, TENAMA_CONTEXT, TENAMA_SERVER, TENAMA_EXPIRES_AT | set for the command of ` + "`run`" + ` |
`

// Reference writes the Markdown reference of all commands.
func Reference(w io.Writer) error {
	root := newRootCommand(newFactory(genericiooptions.NewTestIOStreamsDiscard()), "kubectl-tenama")
	root.InitDefaultHelpCmd()
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n", strings.TrimSuffix(group.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == group.ID && c.Name() != "help" {
				fmt.Fprintf(&b, "- [%s](#kubectl-tenama-%s): %s\n", c.Name(), c.Name(), c.Short)
			}
		}
	}
	for _, c := range root.Commands() {
		if c.Name() != "help" {
			section(&b, c)
		}
	}
	b.WriteString("\n## Flags of all commands\n\n```text\n" + flagUsages(root.PersistentFlags()) + "```\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	fmt.Fprintf(b, "\n## kubectl tenama %s\n\n```text\n%s\n```\n\n%s\n", c.Name(), c.UseLine(), c.Long)
	if len(c.Aliases) > 0 {
		fmt.Fprintf(b, "\nAlso called: %s\n", strings.Join(c.Aliases, ", "))
	}
	fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			own.AddFlag(f)
		}
	})
	if text := flagUsages(own); text != "" {
		fmt.Fprintf(b, "\n```text\n%s```\n", text)
	}
}

// flagUsages returns the usage of the flags, including those that only "options" shows.
func flagUsages(fs *pflag.FlagSet) string {
	fs.VisitAll(func(f *pflag.Flag) {
		f.Hidden = f.Hidden && (f.Name == "template" || f.Name == "show-managed-fields" || f.Name == "allow-missing-template-keys")
		if strings.HasSuffix(f.DefValue, "/.kube/cache") { // the home directory of the builder
			f.DefValue = "$HOME/.kube/cache"
		}
	})
	return fs.FlagUsagesWrapped(120)
}
