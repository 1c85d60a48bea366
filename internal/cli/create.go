// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// createOptions holds the flags of one invocation of kubectl tenama create.
type createOptions struct {
	*createRequest
	output     *outputFlag
	credential credentialOptions

	ifNotExists   bool
	wait          bool
	timeout       durationValue
	contextName   string
	switchContext bool
	dryRunFlag    string

	noContext error // why no context is added, if the user can do without
}

func newCreateCommand(f *factory) *cobra.Command {
	o := &createOptions{
		createRequest: &createRequest{factory: f},
		credential:    credentialOptions{factory: f},
		timeout:       durationValue{5 * time.Minute},
	}
	cmd := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Create a temporary namespace and switch to it",
		Long: `Create a temporary namespace and switch to it.

The namespace is ready to use when the command returns. A context for it is added to
your kubeconfig and made current. The context refers to your existing cluster and user,
so no credential is written. When the namespace expires, it is deleted with everything
in it.

NAME gets the prefix of the class, such as "tmp-", unless it already has it. Without
NAME, a name is generated.

In pipelines, use --if-not-exists, which can be repeated: a namespace that you already
own is kept, and extended to live for at least --ttl from now; if its class does not
allow that, it is extended as far as possible, with a warning. Where the class limits the
number of extensions, one that would gain less than a tenth of --ttl is not made. If the
namespace is still being deleted, create waits until it is gone. With --kubeconfig-output, your kubeconfig is not
changed, and a separate file is written with a credential for this namespace only.`,
		Example: `  # Create a namespace for two hours
  kubectl tenama create --ttl 2h

  # Create tmp-mr-42
  kubectl tenama create mr-42 --ttl 1d --reason "review of !42"

  # Choose a class and its parameters, and wait if the budget is full
  kubectl tenama create --class large --set cpu=16 --wait-for-capacity 30m

  # Show what would be created, and whether it fits into the budgets
  kubectl tenama create --class large --dry-run=server

  # In a pipeline: repeatable, with a kubeconfig and variables for later jobs
  kubectl tenama create mr-42 --if-not-exists --ttl 4h --label gitlab/mr=42 \
    --kubeconfig-output ci.kubeconfig -o env > tenama.env

  # Only the name, for a script
  kubectl tenama create -o jsonpath={.metadata.name}`,
		Args:              maxOneName,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.targetName(args); err != nil {
				return err
			}
			if err := o.validate(cmd.Flags()); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *createOptions) addFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	o.createRequest.addFlags(cmd)
	fs.BoolVar(&o.ifNotExists, "if-not-exists", false,
		"if you already own the namespace, keep it for at least --ttl from now; can be repeated")
	fs.BoolVar(&o.wait, "wait", true, "with --if-not-exists, wait until an earlier namespace with this name is deleted")
	fs.Var(&o.timeout, "timeout", "overall timeout, not counting --wait-for-capacity")
	fs.StringVar(&o.contextName, "context-name", "", "name of the context in the kubeconfig (default: tenama-NAME)")
	fs.BoolVar(&o.switchContext, "switch-context", true, "make the new context current")
	fs.StringVar(&o.credential.file, "kubeconfig-output", "",
		`write a separate kubeconfig to this file, or to stdout if "-", and leave your own unchanged`)
	o.credential.addRole(cmd)
	fs.StringVar(&o.dryRunFlag, "dry-run", "none", `"none" or "server" (validate without creating anything)`)
	o.output = addOutputFlag(cmd, outputSingle)
	completeFlag(cmd, "timeout", completeDurations)
	completeFlag(cmd, "context-name", cobra.NoFileCompletions)
	completeFlag(cmd, "dry-run", fixedCompletions("none", "server"))
}

func (o *createOptions) validate(fs *pflag.FlagSet) error {
	switch {
	case fs.Changed("output") && o.credential.file == "-":
		return errors.New("--kubeconfig-output - and --output cannot be used together: both write to stdout")
	case fs.Changed("role") && o.credential.file == "":
		return errors.New("--role requires --kubeconfig-output")
	case o.dryRunFlag != "none" && o.dryRunFlag != "server":
		return fmt.Errorf("--dry-run %q: use none or server", o.dryRunFlag)
	case !o.wait && !o.ifNotExists:
		return errors.New("--wait=false requires --if-not-exists: create always waits until the namespace is ready")
	case o.ifNotExists && o.name == "":
		return errors.New("--if-not-exists requires NAME")
	case o.ifNotExists && o.dryRunFlag == "server":
		return errors.New("--if-not-exists and --dry-run cannot be used together")
	case o.credential.file != "" && (o.contextName != "" || fs.Changed("switch-context")):
		return errors.New("--context-name and --switch-context cannot be used with --kubeconfig-output")
	}
	o.dryRun = o.dryRunFlag == "server"
	if err := o.readEnvironment(true); err != nil {
		return err
	}
	if err := o.createRequest.validate(); err != nil {
		return err
	}
	if err := o.credential.validate(); err != nil {
		return err
	}
	return o.output.validate()
}

func (o *createOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	o.skipPrune = o.dryRun // a dry run must not prune the kubeconfig
	tn := o.object()
	if err := o.checkKubeconfig(ctx, c, tn); err != nil {
		return err
	}
	timeoutCtx, cancel := context.WithTimeout(ctx, o.timeout.d+o.capacity.d)
	defer cancel()
	created, action, err := o.ensure(timeoutCtx, c, tn)
	if err != nil {
		return o.addHints(timeoutCtx, err)
	}
	if o.dryRun {
		if err := o.printObject(o.output, created, "created (server dry run)"); err != nil || !o.output.human() {
			return err
		}
		return o.printDryRun(timeoutCtx, c, created)
	}
	o.warnings.acknowledge(created.Name)
	return o.finish(ctx, c, created, action)
}
