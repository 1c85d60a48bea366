// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
)

// promptOptions holds the flags of one invocation of kubectl tenama prompt.
type promptOptions struct {
	*factory
	within durationValue
}

func newPromptCommand(f *factory) *cobra.Command {
	o := &promptOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "prompt",
		Short: "Print the current namespace and its time left, for a prompt",
		Long: `Print the current namespace and the time it has left, for a shell prompt.

The kubeconfig alone is read: no request is made, so the prompt does not wait for a
cluster. An extension by another user is not known until a command of tenama sees it.
Nothing is printed if the current context was not created by tenama, and with --within,
if the namespace has more time left. The command never fails because of the kubeconfig.

To save the start of kubectl, call kubectl-tenama instead of kubectl tenama.`,
		Example: `  # bash: show it during the last half hour
  PS1='$(kubectl-tenama prompt --within 30m)'"$PS1"

  # zsh
  setopt PROMPT_SUBST; PROMPT='$(kubectl-tenama prompt --within 30m)'"$PROMPT"

  # fish
  function fish_right_prompt; kubectl-tenama prompt; end`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			o.print(time.Now())
			return nil
		},
	}
	cmd.Flags().Var(&o.within, "within", "print only if at most this much time is left")
	completeFlag(cmd, "within", completeDurations)
	return cmd
}

// print prints the name and the time left, with a space at the end that separates it from the
// rest of the prompt.
func (o *promptOptions) print(now time.Time) {
	m, err := o.files().Load()
	if err != nil {
		return // kubectl says so; a prompt must stay usable
	}
	e, ours := m.Entry(cmp.Or(*o.flags.Context, m.CurrentContext))
	if !ours || len(v1alpha1.ValidateName(e.Namespace, "", nil)) > 0 { // shells interpret what a prompt contains
		return
	}
	left := e.ExpiresAt.Sub(now)
	switch name := e.Namespace; {
	case e.ExpiresAt.IsZero() && o.within.d > 0, o.within.d > 0 && left > o.within.d:
	case e.ExpiresAt.IsZero():
		fmt.Fprintf(o.Out, "%s ", name)
	case left <= 0:
		fmt.Fprintf(o.Out, "%s expired ", name)
	default:
		fmt.Fprintf(o.Out, "%s %s ", name, term.FormatDuration(left))
	}
}
