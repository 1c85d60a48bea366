// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// deleteOptions is one invocation of kubectl tenama delete.
type deleteOptions struct {
	*factory
	output *outputFlag

	names          []string
	ignoreNotFound bool
	wait           bool
	timeout        durationValue
}

func newDeleteCommand(f *factory) *cobra.Command {
	o := &deleteOptions{factory: f, timeout: durationValue{5 * time.Minute}}
	cmd := &cobra.Command{
		Use:     "delete [NAME...]",
		Aliases: []string{"rm"},
		Short:   "Give namespaces back early",
		Long: `Give namespaces back early.

Everything in them is deleted. Without NAME it is the one of the current
context. Their contexts leave your kubeconfig, and the context that was current
before is current again.`,
		Example: `  # The namespace of the current context
  kubectl tenama delete

  # By name, in a pipeline that may run twice
  kubectl tenama delete mr-42 --ignore-not-found --wait=false`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			if n := *f.flags.Namespace; len(args) > 1 && n != "" {
				return fmt.Errorf("--namespace %q beside several NAMEs: leave it out", n)
			}
			if len(args) < 2 {
				name, err := f.one(args)
				if err != nil {
					return err
				}
				o.names = []string{name}
			}
			if o.output.format != "" && o.output.format != "name" {
				return fmt.Errorf("unknown output format %q: use name", o.output.format)
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.ignoreNotFound, "ignore-not-found", false, "do not treat it as an error if a namespace is not there")
	fs.BoolVar(&o.wait, "wait", true, "return when they are gone")
	fs.Var(&o.timeout, "timeout", "how long to wait")
	o.output = addOutputFlag(cmd, false)
	cmd.Flags().Lookup("output").Usage = "output format: name"
	return cmd
}

func (o *deleteOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout.d)
	defer cancel()
	// All are asked for before any is waited for; one failure does not spare the rest.
	var errs []error
	var going []*v1alpha1.TemporaryNamespace
	for _, name := range o.names {
		tn, err := o.begin(ctx, c, name)
		if err != nil {
			errs = append(errs, err)
		} else if tn != nil {
			going = append(going, tn)
		}
	}
	for _, tn := range going {
		if err := o.finish(ctx, c, tn); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	if ctx.Err() == nil {
		for _, err := range errs[1:] {
			o.fail(ctx, err)
		}
	}
	return errs[0]
}

// begin has a namespace deleted, and takes its context away. It returns nil if
// there is none and that is fine.
func (o *deleteOptions) begin(ctx context.Context, c *client.Client, name string) (*v1alpha1.TemporaryNamespace, error) {
	if name == "" {
		var err error
		if name, err = o.current(ctx, c); err != nil {
			return nil, err
		}
	}
	tn, err := o.find(ctx, c, name)
	if client.IsGone(err) {
		o.forgetAbsent(ctx, name)
		o.forgetAbsent(ctx, withPrefix(name))
		if o.ignoreNotFound {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if tn.DeletionTimestamp == nil {
		_, err = c.Delete(ctx, tn.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(tn.UID))})
		if err != nil && !client.IsGone(err) {
			return nil, err
		}
	}
	o.forget(ctx, tn)
	return tn, nil
}

// finish waits for the end of a namespace, if that is wanted, and says so.
func (o *deleteOptions) finish(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	if o.wait {
		err := c.WaitGone(ctx, tn.Name, tn.UID)
		if errors.Is(err, context.DeadlineExceeded) {
			return &failure{fmt.Errorf("namespace %q is being deleted, but was not gone after %s", tn.Name, human(o.timeout.d)), exitTimeout,
				"an administrator sees what holds it up with: kubectl get namespace " + tn.Name + " -o yaml"}
		}
		if err != nil {
			return err
		}
	}
	var err error
	if o.output.format == "name" {
		_, err = fmt.Fprintf(o.Out, "namespace/%s\n", tn.Name)
	} else {
		_, err = fmt.Fprintf(o.Out, "namespace %q deleted\n", tn.Name)
	}
	return err
}
