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
	dryRun string
}

func newRefreshCommand(f *factory) *cobra.Command {
	o := &refreshOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "refresh [NAME]",
		Short: "Update a namespace to the current revision of its class",
		Long: `Update a namespace to the current revision of its class.

When a class changes, its namespaces keep the quotas, limits and policies with which they
were created, and are shown as outdated (kubectl tenama list -o wide). Refresh replaces
these objects by the current ones. If they reserve more of a budget, there must be
capacity. Role, pod security and lifetime are fixed when a namespace is created; if the
class has changed one of them, create a new namespace.`,
		Example: `  # Refresh the namespace of the current context
  kubectl tenama refresh

  # Check whether it would fit into the budgets
  kubectl tenama refresh mr-42 --dry-run=server`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.dryRun != "none" && o.dryRun != "server" {
				return fmt.Errorf("--dry-run %q: use none or server", o.dryRun)
			}
			if err := o.output.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&o.dryRun, "dry-run", "none", `"none" or "server" (validate without changing anything)`)
	completeFlag(cmd, "dry-run", fixedCompletions("none", "server"))
	o.output = addOutputFlag(cmd, outputSingle)
	return cmd
}

func (o *refreshOptions) run(ctx context.Context, args []string) error {
	o.skipPrune = o.dryRun == "server"
	c, tn, err := o.target(ctx, args)
	if err != nil {
		return err
	}
	class, err := c.Class(ctx, tn.Spec.ClassName)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("class %q of namespace %q no longer exists", tn.Spec.ClassName, tn.Name)
	}
	if err != nil {
		return err
	}
	revision := class.Status.Revision
	if class.Status.ObservedGeneration != class.Generation { // the broker has not seen this generation yet
		revision = class.Spec.Revision()
	}
	if revision == tn.Status.ClassRevision {
		return o.printObject(o.output, tn, "unchanged")
	}
	opts := metav1.PatchOptions{}
	done := "refreshed"
	if o.dryRun == "server" {
		opts.DryRun, done = []string{metav1.DryRunAll}, "refreshed (server dry run)"
	}
	after, err := c.Refresh(ctx, tn, revision, opts)
	if _, wait := client.IsOverBudget(err); wait {
		hint := "try again when there is room"
		for _, other := range client.OwnNamespaces(err) {
			if other != tn.Name {
				hint = fmt.Sprintf("delete another namespace, for example: kubectl tenama delete %s; or %s", other, hint)
				break
			}
		}
		return withHint(err, hint)
	}
	if err != nil {
		return err
	}
	return o.printObject(o.output, after, done)
}
