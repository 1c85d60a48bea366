// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// outputKind is the kind of output of a command; it decides which formats it offers in
// addition to kubectl's.
type outputKind int

const (
	outputSingle outputKind = iota // one namespace: adds env
	outputList                     // a list: adds wide
)

const columnsFormat = "custom-columns"

// outputFlag is -o: empty for people, our own name, wide and env, or one of kubectl's formats.
type outputFlag struct {
	format string
	print  *genericclioptions.PrintFlags
	kind   outputKind
}

func addOutputFlag(cmd *cobra.Command, kind outputKind) *outputFlag {
	o := &outputFlag{print: genericclioptions.NewPrintFlags("").WithTypeSetter(client.Scheme), kind: kind}
	o.print.OutputFormat = &o.format
	o.print.AddFlags(cmd)
	setFormats(cmd, o.formats()...)
	for _, name := range []string{"show-managed-fields", "template", "allow-missing-template-keys"} {
		if g := cmd.Flags().Lookup(name); g != nil {
			g.Hidden = true
		}
	}
	return o
}

// formatsAnnotation is the annotation of the -o flag that lists the formats of the command.
const formatsAnnotation = "tenama_formats"

// setFormats lists the formats of -o in its usage, its completion and, for programs, its annotation.
func setFormats(cmd *cobra.Command, formats ...string) {
	o := cmd.Flags().Lookup("output")
	o.Usage = "output format, one of: " + strings.Join(formats, ", ")
	if len(formats) == 1 {
		o.Usage = "output format: " + formats[0]
	}
	completeFlag(cmd, "output", fixedCompletions(formats...))
	_ = cmd.Flags().SetAnnotation("output", formatsAnnotation, formats) // fails only if the flag does not exist
}

// formatsOf returns the formats of -o of a command; nil if it has no such flag.
func formatsOf(cmd *cobra.Command) []string {
	if o := cmd.Flags().Lookup("output"); o != nil {
		return o.Annotations[formatsAnnotation]
	}
	return nil
}

func (o *outputFlag) formats() []string {
	out := []string{"name", columnsFormat}
	switch o.kind {
	case outputList:
		out = append(out, "wide")
	case outputSingle:
		out = append(out, "env")
	}
	for _, f := range o.print.AllowedFormats() {
		if f != "name" {
			out = append(out, f)
		}
	}
	slices.Sort(out[2:])
	return out
}

// validate rejects an unknown format before the command does anything.
func (o *outputFlag) validate() error {
	if o.human() || o.format == "name" || o.env() {
		return nil
	}
	_, err := o.printer(false)
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		formats := o.formats()
		slices.Sort(formats)
		return fmt.Errorf("unknown output format %q: use one of %s", o.format, strings.Join(formats, ", "))
	}
	return err
}

// human reports whether the output is for people.
func (o *outputFlag) human() bool {
	return o.format == "" || o.kind == outputList && o.format == "wide"
}

// env reports whether the output is for a shell or a pipeline.
func (o *outputFlag) env() bool { return o.kind == outputSingle && o.format == "env" }

// printer returns the printer of any format except the plugin's own.
func (o *outputFlag) printer(noHeaders bool) (printers.ResourcePrinter, error) {
	if spec, ok := strings.CutPrefix(o.format, columnsFormat); ok {
		return newColumns(strings.TrimPrefix(spec, "="), noHeaders)
	}
	return o.print.ToPrinter()
}

// printObject prints tn; action is what was done, such as "created", for people.
func (f *factory) printObject(o *outputFlag, tn *v1alpha1.TemporaryNamespace, action string) error {
	switch {
	case o.human():
		_, err := fmt.Fprintf(f.Out, "namespace/%s %s\n", tn.Name, action)
		return err
	case o.format == "name":
		_, err := fmt.Fprintf(f.Out, "namespace/%s\n", tn.Name)
		return err
	case o.env():
		return f.printVariables(f.Out, tn)
	}
	p, err := o.printer(false)
	if err != nil {
		return err
	}
	return p.PrintObj(tn, f.Out)
}

// printVariables prints the variables that a pipeline passes from job to job, in dotenv
// format without quotes, which GitLab and GitHub read too. It contains no credential.
func (f *factory) printVariables(w io.Writer, tn *v1alpha1.TemporaryNamespace) error {
	lines := [][2]string{{"TENAMA_NAMESPACE", tn.Name}, {"TENAMA_SERVER", f.server()}}
	if t := tn.Status.ExpirationTimestamp; t != nil {
		lines = append(lines, [2]string{"TENAMA_EXPIRES_AT", formatTimestamp(tn, &metav1.Time{Time: t.Time})})
	}
	if m, err := f.files().Load(); err == nil {
		for _, e := range m.Entries() {
			if e.UID == string(tn.UID) {
				lines = append(lines, [2]string{"TENAMA_CONTEXT", e.Context})
				break
			}
		}
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%s=%s\n", l[0], term.Clean(l[1])); err != nil {
			return err
		}
	}
	return nil
}
