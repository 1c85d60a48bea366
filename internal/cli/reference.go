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

Flags follow the name of the plugin: kubectl accepts none before it. NAME can be omitted if the current context is a
temporary namespace. A NAME is a full name, or is short for the one with the installation's prefix (` + "`tmp-`" + `);
if it could be short for several, it is rejected. Durations are written as 90m, 2h, 1d12h or 1w; a day has 24 hours.

Only the result is written to stdout; everything else goes to stderr. With ` + "`-o json`" + ` and
` + "`-o yaml`" + `, an error is written as a ` + "`Status`" + ` of Kubernetes, and nothing else is on stderr:
hint, notes and warnings are among its causes. If the command succeeds, notes and warnings are on stderr as lines.

| exit code | |
|---|---|
| 0 | success, also if nothing had to be changed |
| 1 | error |
| 3 | success in the cluster, but the kubeconfig was not changed |
| 4 | not logged in, or not allowed |
| 5 | a budget is full |
| 124 | timed out |
| 126, 127 | ` + "`run`" + `: the command cannot be executed, or was not found |
| 130 | interrupted |
| 141 | the reader of stdout has closed it, as ` + "`head`" + ` does; nothing is printed then |

` + "`run`" + ` returns the exit code of its command, or 128 plus the number of the signal that ended it. On
Windows, kubectl turns every non-zero exit code into 1.

| variable | |
|---|---|
| KUBECONFIG | as for kubectl |
| NO_COLOR, CLICOLOR, CLICOLOR_FORCE | use of colors; --color takes precedence |
| TENAMA_NO_HINTS | if set, errors are printed without hints |
| TENAMA_CLASS | class for ` + "`create` and `run`" + `, unless --class is given |
| TENAMA_TTL | lifetime for ` + "`create`" + `, unless --ttl is given |
| TENAMA_NO_ANIMATION, TERM=dumb | no line is updated in place; ` + "`list --watch`" + ` prints one for each change |
| CI | if set, progress is not animated |
| TENAMA_RUN, TENAMA_NAMESPACE, TENAMA_CONTEXT, TENAMA_SERVER | set for the command of ` + "`run`" + ` |
| TENAMA_EXPIRES_AT | the same, if the namespace expires |
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
		fmt.Fprintf(b, "\nAliases: %s\n", strings.Join(c.Aliases, ", "))
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
		f.Hidden = f.Hidden && (f.Name == "template" || f.Name == "show-managed-fields" ||
			f.Name == "allow-missing-template-keys")
		if strings.HasSuffix(f.DefValue, "/.kube/cache") { // the home directory of the builder
			f.DefValue = "$HOME/.kube/cache"
		}
	})
	return fs.FlagUsagesWrapped(120)
}
