// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"tenama.dev/tenama/pkg/client"
)

// outputFlag is -o: for people by default, name and wide of our own, and the
// formats of kubectl.
type outputFlag struct {
	format string
	print  *genericclioptions.PrintFlags
	wide   bool // offered
}

func addOutputFlag(cmd *cobra.Command, wide bool) *outputFlag {
	o := &outputFlag{print: genericclioptions.NewPrintFlags("").WithTypeSetter(client.Scheme), wide: wide}
	o.print.OutputFormat = &o.format
	o.print.AddFlags(cmd)
	formats := o.formats()
	f := cmd.Flags().Lookup("output")
	f.Usage = "output format, one of: " + strings.Join(formats, ", ")
	if g := cmd.Flags().Lookup("show-managed-fields"); g != nil {
		g.Hidden = true
	}
	if g := cmd.Flags().Lookup("template"); g != nil {
		g.Hidden = true
	}
	if g := cmd.Flags().Lookup("allow-missing-template-keys"); g != nil {
		g.Hidden = true
	}
	return o
}

func (o *outputFlag) formats() []string {
	out := []string{"name"}
	if o.wide {
		out = append(out, "wide")
	}
	for _, f := range o.print.AllowedFormats() {
		if f != "name" {
			out = append(out, f)
		}
	}
	return out
}

// validate refuses an unknown format before anything is done.
func (o *outputFlag) validate() error {
	switch {
	case o.human(), o.format == "name":
		return nil
	}
	if _, err := o.print.ToPrinter(); err != nil {
		if genericclioptions.IsNoCompatiblePrinterError(err) {
			formats := o.formats()
			slices.Sort(formats)
			return fmt.Errorf("unknown output format %q: use one of %s", o.format, strings.Join(formats, ", "))
		}
		return err
	}
	return nil
}

// human tells whether people read the output.
func (o *outputFlag) human() bool { return o.format == "" || o.wide && o.format == "wide" }

// object prints obj; done is what happened to it, such as "created", for people.
func (f *factory) object(o *outputFlag, obj runtime.Object, name, done string) error {
	switch {
	case o.human():
		_, err := fmt.Fprintf(f.Out, "namespace/%s %s\n", name, done)
		return err
	case o.format == "name":
		_, err := fmt.Fprintf(f.Out, "namespace/%s\n", name)
		return err
	}
	p, err := o.print.ToPrinter()
	if err != nil {
		return err
	}
	return p.PrintObj(obj, f.Out)
}
