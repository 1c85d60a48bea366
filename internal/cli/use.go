// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// useOptions holds the flags of one invocation of kubectl tenama use.
type useOptions struct {
	*factory
	name        string
	contextName string
}

func newUseCommand(f *factory) *cobra.Command {
	o := &useOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "use [NAME|-]",
		Short: "Switch to a namespace, or back",
		Long: `Switch to a namespace, or back.

The context of the namespace is made current. It is added to the kubeconfig if it is
missing, also for a namespace that another user shares with you. "-" switches to the
previous context, and removes the context of a namespace that is gone. Without NAME, use
switches to your only namespace, or asks.`,
		Example: `  kubectl tenama use mr-42

  # Switch to the previous context
  kubectl tenama use -`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 && args[0] == "-" {
				return o.switchBack(cmd.Context())
			}
			if o.name, err = f.targetName(args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.contextName, "context-name", "",
		"name of the context in the kubeconfig (default: tenama-NAME)")
	completeFlag(cmd, "context-name", cobra.NoFileCompletions)
	return cmd
}

func (o *useOptions) run(ctx context.Context) error {
	o.chooseLogin()
	c, err := o.client()
	if err != nil {
		return err
	}
	if o.name == "" {
		if o.name, err = o.onlyName(ctx, c); err != nil {
			return err
		}
	}
	tn, err := o.find(ctx, c, o.name)
	var shared *sharedError
	own := err == nil
	if errors.As(err, &shared) { // shared namespaces can be used, too
		tn, err = shared.tn, nil
	}
	if err != nil {
		return err
	}
	o.warnings.acknowledge(tn.Name)
	o.skipPrune = true
	if tn.DeletionTimestamp != nil {
		return fmt.Errorf("namespace %q is being deleted", tn.Name)
	}
	if own {
		tn = o.renewIdle(ctx, c, tn)
	}
	e, err := o.entry(tn, o.contextName)
	if err != nil {
		return err
	}
	if o.contextName == "" { // keep the name of an existing context
		if m, err := o.files().Load(); err == nil {
			for _, known := range m.Entries() {
				if known.UID == e.UID {
					e.Context = known.Context
				}
			}
		}
	}
	r, err := o.files().Add(ctx, e, true)
	if err != nil {
		if errors.Is(err, kubeconfig.ErrTaken) {
			return &failure{err, exitKubeconfig, takenHint(err, "choose another name for the context with --context-name")}
		}
		return &failure{err, exitKubeconfig, ""}
	}
	fmt.Fprintf(o.Out, "Switched to context %q.\n", e.Context)
	o.noteRewritten(r)
	if t := tn.Status.ExpirationTimestamp; t != nil {
		fmt.Fprintf(o.ErrOut, "Expires %s.\n", term.RelativeTime(t.Time, c.Now()))
	}
	return nil
}

// renewIdle reports to the broker that tn is used, if its class ends namespaces that are not.
// If that fails, tn is used all the same.
func (o *useOptions) renewIdle(
	ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace,
) *v1alpha1.TemporaryNamespace {
	if tn.Status.IdleTTLSeconds == nil || v1alpha1.Leased(tn) {
		return tn
	}
	after, err := c.Renew(ctx, tn, c.Now())
	if err != nil {
		fmt.Fprintf(o.ErrOut, "Warning: the lease of namespace %q was not renewed: %s\n", tn.Name, term.Clean(err.Error()))
		return tn
	}
	return after
}

// onlyName returns the caller's namespace if there is exactly one, or lets the user choose.
func (o *useOptions) onlyName(ctx context.Context, c *client.Client) (string, error) {
	own, err := o.listOwn(ctx, c)
	if err != nil {
		return "", err
	}
	var names []string
	for i := range own {
		if own[i].DeletionTimestamp == nil {
			names = append(names, own[i].Name)
		}
	}
	switch len(names) {
	case 0:
		return "", errors.New("you have no namespace: create one with kubectl tenama create")
	case 1:
		return names[0], nil
	}
	return o.choose(ctx, names, "specify one of your namespaces")
}

// switchBack switches to the previous context; a second call switches back again. Contexts of
// namespaces that are certainly gone are skipped, and removed.
func (o *useOptions) switchBack(ctx context.Context) error {
	m, err := o.files().Load()
	if err != nil {
		return err
	}
	var gone []kubeconfig.Entry
	deadline := time.Now().Add(finishTimeout)
	isGone := func(context string) bool {
		e, ours := m.Entry(context)
		if !ours {
			return false
		}
		tn, err := o.ask(ctx, e, time.Until(deadline))
		if err != nil || tn != nil {
			return false
		}
		gone = append(gone, e)
		return true
	}
	isGone(m.CurrentContext)
	to := m.PreviousContext()
	for rest := m; isGone(to); to = rest.PreviousContext() {
		rest = rest.Without(to)
	}
	if to == "" {
		return fmt.Errorf("the kubeconfig has no previous context%s", o.chooseContext())
	}
	if _, err := o.files().Use(ctx, to); err != nil {
		return &failure{err, exitKubeconfig, ""}
	}
	fmt.Fprintf(o.Out, "Switched to context %q.\n", to)
	if len(gone) > 0 {
		o.removeContexts(ctx, func(e kubeconfig.Entry) bool {
			return slices.ContainsFunc(gone, func(g kubeconfig.Entry) bool { return g.Context == e.Context && g.UID == e.UID })
		})
	}
	return nil
}

// chooseLogin chooses the cluster and user if the current context is missing, because another
// program deleted it: those of the other contexts, if they are all of one cluster and user.
func (o *useOptions) chooseLogin() {
	m, err := o.files().Load()
	if err != nil || m.Contexts[m.CurrentContext] != nil || *o.flags.Context != "" || *o.flags.APIServer != "" ||
		*o.flags.ClusterName != "" {
		return
	}
	logins, own := map[[2]string]bool{}, ""
	for _, name := range slices.Sorted(maps.Keys(m.Contexts)) {
		c := m.Contexts[name]
		logins[[2]string{c.Cluster, c.AuthInfo}] = true
		if _, ours := m.Entry(name); own == "" || !ours {
			own = name
		}
	}
	if len(logins) == 1 {
		*o.flags.Context = own
	}
}
