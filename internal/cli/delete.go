// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	var errs []error
	for _, name := range o.names { // one failure does not spare the rest
		if err := o.remove(ctx, c, name); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 1 {
		for _, err := range errs[:len(errs)-1] {
			o.fail(ctx, err)
		}
	}
	if len(errs) > 0 {
		return errs[len(errs)-1]
	}
	return nil
}

func (o *deleteOptions) remove(ctx context.Context, c *client.Client, name string) error {
	tn, err := o.find(ctx, c, name)
	if apierrors.IsNotFound(err) && !notInstalled(err) {
		if name == "" {
			name, _ = o.current(ctx, c)
		}
		o.forget(ctx, withPrefix(name), "") // the server says that it is gone
		if o.ignoreNotFound {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if tn.DeletionTimestamp == nil {
		_, err = c.Delete(ctx, tn.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(tn.UID))})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	o.forget(ctx, tn.Name, string(tn.UID))
	if o.wait {
		err := c.WaitGone(ctx, tn.Name, tn.UID)
		if errors.Is(err, context.DeadlineExceeded) {
			return advise(fmt.Errorf("namespace %q is being deleted, but was not gone after %s: %w", tn.Name, o.timeout.String(), err),
				"what holds it up: kubectl get namespace "+tn.Name+" -o jsonpath='{.status.conditions}'")
		}
		if err != nil {
			return err
		}
	}
	if o.output.format == "name" {
		fmt.Fprintf(o.Out, "namespace/%s\n", tn.Name)
	} else {
		fmt.Fprintf(o.Out, "namespace %q deleted\n", tn.Name)
	}
	return nil
}
