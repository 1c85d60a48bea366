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
	name   string
	lives  durationValue
	output string
}

func newKubeconfigCommand(f *factory) *cobra.Command {
	o := &kubeconfigOptions{credentialOptions: credentialOptions{factory: f}}
	cmd := &cobra.Command{
		Use:   "kubeconfig [NAME]",
		Short: "Print a credential for a namespace alone, for pipelines and programs",
		Long: `Print a credential for a namespace alone, for pipelines and programs.

It is a token of a ServiceAccount in the namespace, with a role that you choose, and
is asked for with your own rights: it can do no more than you, nothing outside of the
namespace, and ends with it. Server and certificate authority are those of your own
kubeconfig. kube-apiserver gives no token for less than 10 minutes.

It goes to stdout, or with --file into a file of its own that nobody else can read
(mode 0600). A file that holds anything else is not touched. Without NAME it is for
the namespace of the current context.`,
		Example: `  # A kubeconfig that needs no other, for an hour
  kubectl tenama kubeconfig mr-42 --file ci.kubeconfig --duration 1h
  kubectl --kubeconfig ci.kubeconfig apply -k overlays/test

  # Read-only
  kubectl tenama kubeconfig mr-42 --role view > viewer.kubeconfig

  # For pipelines that put their own together
  kubectl tenama kubeconfig mr-42 -o env > credential.env
  curl -H "Authorization: Bearer $(kubectl tenama kubeconfig mr-42 -o token)" ...`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.one(args); err != nil {
				return err
			}
			switch o.output {
			case "kubeconfig", "env", "token":
			default:
				return fmt.Errorf("unknown output format %q: use kubeconfig, env or token", o.output)
			}
			if o.file != "" && o.file != "-" && o.output != "kubeconfig" {
				return errors.New("--file is for a kubeconfig: with --output env or token redirect stdout")
			}
			o.duration = o.lives.d
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.file, "file", "-", `where to, or "-" for stdout`)
	fs.Var(&o.lives, "duration", "how long it is valid at most (default: as long as the namespace)")
	o.addRole(fs)
	fs.StringVarP(&o.output, "output", "o", "kubeconfig", "")
	setFormats(cmd, "kubeconfig", "env", "token")
	return cmd
}

func (o *kubeconfigOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	tn, err := o.find(ctx, c, o.name)
	if err != nil {
		return err
	}
	if tn.DeletionTimestamp != nil {
		return fmt.Errorf("namespace %q is being deleted", tn.Name)
	}
	if o.output == "kubeconfig" {
		return o.write(ctx, c, tn)
	}
	cred, err := o.get(ctx, c, tn)
	if err != nil {
		return err
	}
	if o.output == "env" {
		return o.variables(cred)
	}
	_, err = fmt.Fprintln(o.Out, cred.Token)
	return err
}
