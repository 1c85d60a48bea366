// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
)

// holdOptions holds the flags of one invocation of kubectl tenama hold or unhold.
type holdOptions struct {
	*factory
	reason string
}

func newHoldCommand(f *factory) *cobra.Command {
	o := &holdOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "hold [NAME] --reason TEXT",
		Short: "Keep a namespace from expiring and from being deleted",
		Long: `Keep a namespace from expiring and from being deleted, for example as evidence of an
incident, until "kubectl tenama unhold".

Neither its owner nor the broker nor a cluster administrator can delete it until then. Its
owner keeps access and can change what is in it; to prevent that, remove the RoleBinding
"tenama:owner" in it. Your user name and the reason are recorded, and its owner sees them.
The hold is written with your own permissions: it requires the verb administer on
temporarynamespaces, and patch on namespaces.`,
		Example:           `  kubectl tenama hold tmp-mr-42 --reason "incident 4711"`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.reason = f.cleanReason(o.reason); o.reason == "" {
				return errors.New("--reason is required: the owner of the namespace sees it")
			}
			return o.hold(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why the namespace is kept, in at most 256 characters")
	completeFlag(cmd, "reason", cobra.NoFileCompletions)
	return cmd
}

func newUnholdCommand(f *factory) *cobra.Command {
	o := &holdOptions{factory: f}
	return &cobra.Command{
		Use:   "unhold [NAME]",
		Short: "End the hold of a namespace",
		Long: `End the hold of a namespace that "kubectl tenama hold" keeps.

If the namespace has expired meanwhile, it is deleted, unless its owner extends it first:
the broker waits for some minutes if the expiry was more than 30 seconds ago.`,
		Example:           `  kubectl tenama unhold tmp-mr-42`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.unhold(cmd.Context(), args) },
	}
}

func (o *holdOptions) hold(ctx context.Context, args []string) error {
	c, tn, err := o.activeTarget(ctx, args)
	if err != nil {
		return err
	}
	o.warnings.acknowledge(tn.Name)
	if err := c.Hold(ctx, tn, o.reason); err != nil {
		return holdError(err)
	}
	fmt.Fprintf(o.Out, "namespace/%s on hold\n", tn.Name)
	if was := onHold(tn); was != "" {
		fmt.Fprintf(o.ErrOut, "This replaces the hold of before: %s\n", term.Clean(was))
	}
	return nil
}

func (o *holdOptions) unhold(ctx context.Context, args []string) error {
	c, tn, err := o.target(ctx, args)
	if err != nil {
		return err
	}
	o.warnings.acknowledge(tn.Name)
	was := onHold(tn)
	if was == "" {
		fmt.Fprintf(o.ErrOut, "Namespace %s was not on hold.\n", tn.Name)
		return nil
	}
	if err := c.Unhold(ctx, tn); err != nil {
		return holdError(err)
	}
	fmt.Fprintf(o.Out, "namespace/%s no longer on hold\n", tn.Name)
	fmt.Fprintf(o.ErrOut, "The hold was: %s\n", term.Clean(was))
	if at := tn.Status.ExpirationTimestamp; at != nil && !at.After(c.Now()) {
		fmt.Fprintf(o.ErrOut, "It expired %s, and is deleted unless it is extended soon: %s\n",
			term.RelativeTime(at.Time, c.Now()), o.commandAs("extend %s", tn.Name))
	}
	return nil
}

// holdError adds what a hold requires to the error of a user who lacks it.
func holdError(err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	return &failure{err, exitDenied,
		"a hold requires the verb administer on temporarynamespaces.tenama.dev, and patch on namespaces"}
}

// onHold returns who keeps a namespace from expiring, and why; empty if it is not on hold.
func onHold(tn *v1alpha1.TemporaryNamespace) string {
	if c := meta.FindStatusCondition(tn.Status.Conditions, v1alpha1.ConditionOnHold); c != nil {
		return c.Message
	}
	return ""
}
