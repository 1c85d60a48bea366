// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// pruneTimeout bounds the request to one cluster.
const pruneTimeout = 10 * time.Second

// pruneOptions holds the flags of one invocation of kubectl tenama prune.
type pruneOptions struct {
	*factory
	dryRun      bool
	unreachable bool
}

func newPruneCommand(f *factory) *cobra.Command {
	o := &pruneOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove the contexts of namespaces that are gone",
		Long: `Remove the contexts of namespaces that are gone.

For each context that tenama added to your kubeconfig, prune asks the cluster of the
context, as its user. The context is removed if the namespace is gone. If the cluster
cannot be asked, the context stays until the last known expiry of the namespace has
passed; then it is removed with --unreachable, or if its cluster or user is no longer in
the kubeconfig.
"kubectl tenama use NAME" adds a context again.`,
		Example: `  kubectl tenama prune

  # Show what would be removed
  kubectl tenama prune --dry-run

  # Remove the expired contexts of clusters that no longer exist, too
  kubectl tenama prune --unreachable`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show what would be removed")
	cmd.Flags().BoolVar(&o.unreachable, "unreachable", false,
		"also remove expired contexts of clusters that do not respond")
	return cmd
}

func (o *pruneOptions) run(ctx context.Context) error {
	m, err := o.files().Load()
	if err != nil {
		return err
	}
	var stale []kubeconfig.Entry
	entries := m.Entries()
	failed := map[[2]string]error{} // by cluster and user
	for _, e := range entries {
		why, err := o.stale(ctx, e, failed)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case why != "":
			stale = append(stale, e)
			if o.dryRun {
				fmt.Fprintf(o.Out, "context %q would be removed: %s\n", e.Context, why)
			}
		case err != nil:
			fmt.Fprintf(o.ErrOut, "Context %q stays: %s\n", e.Context, o.whyKept(e, err))
		}
	}
	switch {
	case len(entries) == 0:
		fmt.Fprintln(o.ErrOut, "The kubeconfig has no context of a temporary namespace.")
	case len(stale) == 0:
		fmt.Fprintln(o.ErrOut, "No context of a namespace that is gone was found.")
	case !o.dryRun:
		return o.remove(ctx, stale)
	}
	return nil
}

func (o *pruneOptions) remove(ctx context.Context, stale []kubeconfig.Entry) error {
	removed, r, err := o.files().Remove(ctx, func(e kubeconfig.Entry) bool {
		return slices.ContainsFunc(stale, func(s kubeconfig.Entry) bool { return s.Context == e.Context && s.UID == e.UID })
	})
	if err != nil {
		return &failure{err, exitKubeconfig, ""}
	}
	for _, e := range removed {
		fmt.Fprintf(o.Out, "context %q removed\n", e.Context)
	}
	switch {
	case r.Current == r.Previous:
	case r.Current != "":
		fmt.Fprintf(o.ErrOut, "Current context is %q again.\n", r.Current)
	default:
		fmt.Fprintf(o.ErrOut, "No context is current%s.\n", o.chooseContext())
	}
	o.noteRewritten(r)
	return nil
}

// stale returns why the context of e can be removed; nothing if its namespace exists. An error
// says that this is unknown.
func (o *pruneOptions) stale(ctx context.Context, e kubeconfig.Entry, failed map[[2]string]error) (string, error) {
	raw, err := o.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return "", err
	}
	login := [2]string{e.Cluster, e.User}
	missing := raw.Clusters[e.Cluster] == nil || raw.AuthInfos[e.User] == nil
	if missing { // they may be in a file that KUBECONFIG names at other times
		err = fmt.Errorf("the kubeconfig has no cluster %q, or no user %q", term.Clean(e.Cluster), term.Clean(e.User))
	} else if err = failed[login]; err == nil {
		var tn *v1alpha1.TemporaryNamespace
		if tn, err = o.ask(ctx, e, pruneTimeout); err == nil && tn == nil || errors.Is(err, errReplaced) {
			return fmt.Sprintf("namespace %q is gone", e.Namespace), nil
		}
		if err != nil && !answered(err) {
			failed[login] = err
		}
	}
	switch {
	case err == nil || answered(err) || !e.Expired():
		return "", err
	case missing:
		return fmt.Sprintf("it has expired, and %v", err), nil
	case o.unreachable:
		return "it has expired, and its cluster does not respond", nil
	}
	return "", err
}

// ask returns the namespace of a context, as its user sees it; nil if it is certainly gone. It
// returns when the time is over also if a credential plugin does not.
func (f *factory) ask(
	ctx context.Context, e kubeconfig.Entry, timeout time.Duration,
) (*v1alpha1.TemporaryNamespace, error) {
	c, err := f.clientOf(e.Context)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		tn  *v1alpha1.TemporaryNamespace
		err error
	}
	answers := make(chan answer, 1)
	go func() { tn, err := lookUpEntry(ctx, c, e); answers <- answer{tn, err} }()
	select {
	case a := <-answers:
		return a.tn, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (o *pruneOptions) whyKept(e kubeconfig.Entry, err error) string {
	line, _ := problem(err)
	switch {
	case answered(err):
		return line
	case !e.Expired():
		return line + "; if it no longer exists: kubectl config delete-context " + e.Context
	}
	return line + "; to remove it nevertheless: " + o.command("prune --unreachable")
}

// answered reports whether err is what the cluster answered.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// errReplaced means that the namespace of a context is gone, and another one has its name.
var errReplaced = errors.New("another namespace has its name now")

// lookUpEntry returns the namespace of a context, or nil if the cluster says that it does not
// exist. No other error means that; errReplaced means it, but a context of the name may be
// wanted.
func lookUpEntry(ctx context.Context, c *client.Client, e kubeconfig.Entry) (*v1alpha1.TemporaryNamespace, error) {
	tn, err := c.Get(ctx, e.Namespace)
	if client.IsGone(err) { // it may be a shared one
		tn, err = c.Shared(ctx, e.Namespace)
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) { // kube-apiserver says Forbidden for both
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if string(tn.UID) != e.UID {
		return nil, errReplaced
	}
	return tn, nil
}
