// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// kubeconfigOptions holds the flags of one invocation of kubectl tenama kubeconfig.
type kubeconfigOptions struct {
	credentialOptions
	validity durationValue
	output   string
}

func newKubeconfigCommand(f *factory) *cobra.Command {
	o := &kubeconfigOptions{credentialOptions: credentialOptions{factory: f}}
	cmd := &cobra.Command{
		Use:   "kubeconfig [NAME]",
		Short: "Print a kubeconfig with a credential for one namespace",
		Long: `Print a kubeconfig with a credential for one namespace, for pipelines and programs.

The credential is a token of a ServiceAccount in the namespace that has the given role.
It is created with your own permissions, so it cannot do more than you can. It is valid
in this namespace only, for at least 10 minutes, at most until the time at which the
namespace expires when it is created; after an extension, create a new one. Server and
certificate authority are those of your own kubeconfig.

The kubeconfig is printed or, with --file, written to a file that only you can read
(mode 0600). Other kubeconfigs are not overwritten. Without NAME, the namespace of the
current context is used.`,
		Example: `  # Write a kubeconfig that is valid for an hour
  kubectl tenama kubeconfig mr-42 --file ci.kubeconfig --duration 1h
  kubectl --kubeconfig ci.kubeconfig apply -k overlays/test

  # Write a read-only kubeconfig
  kubectl tenama kubeconfig mr-42 --role view --file viewer.kubeconfig

  # Print the parts of a kubeconfig, or only the token
  (umask 077; kubectl tenama kubeconfig mr-42 -o env > credential.env)
  curl -H "Authorization: Bearer $(kubectl tenama kubeconfig mr-42 -o token)"`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch o.output {
			case "kubeconfig", "env", "token":
			default:
				return fmt.Errorf("unknown output format %q: use kubeconfig, env or token", o.output)
			}
			if o.file != "" && o.file != "-" && o.output != "kubeconfig" {
				return errors.New("--file cannot be used with --output env or token: redirect stdout")
			}
			o.duration = o.validity.d
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), args)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.file, "file", "-", `file to write, or "-" for stdout`)
	fs.Var(&o.validity, "duration", "maximum validity (default: until the namespace expires)")
	completeFlag(cmd, "duration", completeDurations)
	o.addRole(cmd)
	fs.StringVarP(&o.output, "output", "o", "kubeconfig", "")
	setFormats(cmd, "kubeconfig", "env", "token")
	return cmd
}

func (o *kubeconfigOptions) run(ctx context.Context, args []string) error {
	c, tn, err := o.activeTarget(ctx, args)
	if err != nil {
		return err
	}
	if o.output == "kubeconfig" {
		return o.write(ctx, c, tn)
	}
	cred, err := o.request(ctx, c, tn)
	if err != nil {
		return err
	}
	if o.output == "env" {
		return o.printVariables(cred)
	}
	_, err = fmt.Fprintln(o.Out, cred.Token)
	return err
}
