// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/pkg/client"
)

// refreshOptions holds the flags of one invocation of kubectl tenama refresh.
type refreshOptions struct {
	*factory
	output *outputFlag

	name   string
	dryRun string
}

func newRefreshCommand(f *factory) *cobra.Command {
	o := &refreshOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "refresh [NAME]",
		Short: "Bring a namespace up to what its class gives now",
		Long: `Bring a namespace up to what its class gives now.

A namespace keeps the quotas, limits and policies that it was made with when its
class changes, and shows as outdated then (kubectl tenama list -o wide). This gives
it those of today. Where they take more of a budget, there has to be room. What is
fixed when a namespace is made (role, pod security, lifetime) stays; if the class
differs there, make a new one.`,
		Example: `  # The namespace of the current context
  kubectl tenama refresh

  # Would it fit?
  kubectl tenama refresh mr-42 --dry-run=server`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.dryRun != "none" && o.dryRun != "server" {
				return fmt.Errorf("--dry-run %q: use none or server", o.dryRun)
			}
			if o.name, err = f.one(args); err != nil {
				return err
			}
			if err := o.output.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.dryRun, "dry-run", "none", `"none", or "server": have it checked, and change nothing`)
	o.output = addOutputFlag(cmd, one)
	return cmd
}

func (o *refreshOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	o.wrote = o.dryRun == "server"
	tn, err := o.find(ctx, c, o.name)
	if err != nil {
		return err
	}
	class, err := c.Class(ctx, tn.Spec.ClassName)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("class %q of namespace %q is gone: there is nothing to bring it up to", tn.Spec.ClassName, tn.Name)
	}
	if err != nil {
		return err
	}
	revision := class.Spec.Revision() // computed from the spec: the status may lag
	if revision == tn.Status.ClassRevision {
		return o.object(o.output, tn, "unchanged")
	}
	opts := metav1.PatchOptions{}
	done := "refreshed"
	if o.dryRun == "server" {
		opts.DryRun, done = []string{metav1.DryRunAll}, "refreshed (server dry run)"
	}
	after, err := c.Refresh(ctx, tn, revision, opts)
	if _, wait := client.IsOverBudget(err); wait {
		return advise(err, "give another namespace back with kubectl tenama delete NAME, and try again")
	}
	if err != nil {
		return err
	}
	return o.object(o.output, after, done)
}
