// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// doctorOptions holds the flags of one invocation of kubectl tenama doctor.
type doctorOptions struct {
	*factory
	name        string
	output      string
	containment bool
	findings    []finding
}

// finding is the result of one check.
type finding struct {
	Check   string `json:"check"`
	Result  string `json:"result"` // ok, warning or failed
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`
}

const (
	okResult   = "ok"
	warnResult = "warning"
	failResult = "failed"
)

func newDoctorCommand(f *factory) *cobra.Command {
	o := &doctorOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "doctor [NAME]",
		Short: "Diagnose problems and suggest fixes",
		Long: `Diagnose problems and suggest fixes.

Without NAME, doctor checks this machine (kubeconfig, completion, clock), the cluster
(version, your identity and permissions), the broker (registration, availability,
containment) and your namespaces whose deletion is stuck. With NAME, it shows what
blocks the deletion of that namespace. It changes nothing.

With --containment, an administrator of the cluster tries what the broker's token could
be used for, by dry runs in the broker's name, and sees what stops each attempt.

The exit code is 1 if a check failed; warnings do not count.`,
		Example: `  kubectl tenama doctor

  # Show what blocks the deletion of a namespace
  kubectl tenama doctor mr-42

  # Show what stops a broker that was taken over, on this cluster
  kubectl tenama doctor --containment

  # Print the results for a bug report
  kubectl tenama doctor -o json`,
		Args:              maxOneName,
		ValidArgsFunction: f.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.targetName(args); err != nil {
				return err
			}
			if o.containment && o.name != "" {
				return errors.New("NAME and --containment cannot be used together")
			}
			switch o.output {
			case "", "json", "yaml":
				return o.run(cmd.Context())
			}
			return fmt.Errorf("unknown output format %q: use json or yaml", o.output)
		},
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "")
	cmd.Flags().BoolVar(&o.containment, "containment", false,
		"try what the broker's token could be used for, by dry runs (as an administrator)")
	setFormats(cmd, "json", "yaml")
	return cmd
}

func (o *doctorOptions) ok(check, message string) {
	o.report(finding{check, okResult, message, ""})
}

func (o *doctorOptions) warn(check, message, advice string) {
	o.report(finding{check, warnResult, message, advice})
}

func (o *doctorOptions) fail(check, message, advice string) {
	o.report(finding{check, failResult, message, advice})
}

// report records a finding and, for people, prints it at once: the next check may take a while.
func (o *doctorOptions) report(f finding) {
	f.Message, f.Advice = term.Clean(f.Message), term.Clean(f.Advice)
	o.findings = append(o.findings, f)
	if o.output != "" {
		return
	}
	r := o.renderer(o.Out)
	style := map[string]term.Style{okResult: term.Good, warnResult: term.Warning, failResult: term.Bad}[f.Result]
	fmt.Fprintf(o.Out, "%s  %-20s %s\n", r.Render(fmt.Sprintf("%-7s", f.Result), style), f.Check, f.Message)
	if f.Advice != "" {
		fmt.Fprintf(o.Out, "         %-20s %s\n", "", r.Render("-> "+f.Advice, term.Dim))
	}
}

func (o *doctorOptions) run(ctx context.Context) error {
	o.skipPrune = true // doctor changes nothing, so it must not prune the kubeconfig
	switch {
	case o.containment:
		if err := o.checkContainment(ctx); err != nil {
			return err
		}
	case o.name != "":
		if err := o.checkNamespace(ctx); err != nil {
			return err
		}
	default:
		o.checkMachine()
		if c := o.checkCluster(ctx); c != nil {
			o.checkBroker(ctx, c)
			o.checkExpiry(ctx, c)
			o.checkTerminating(ctx, c)
		}
	}
	if err := o.print(); err != nil {
		return err
	}
	for _, f := range o.findings {
		if f.Result == failResult {
			return &exitStatus{exitError} // already reported
		}
	}
	return nil
}

func (o *doctorOptions) print() error {
	var b []byte
	var err error
	switch o.output {
	case "json":
		b, err = json.MarshalIndent(o.findings, "", "    ")
		b = append(b, '\n')
	case "yaml":
		b, err = yaml.Marshal(o.findings)
	}
	if err == nil {
		_, err = o.Out.Write(b)
	}
	return err
}

// checkNamespace checks the namespace given by NAME.
func (o *doctorOptions) checkNamespace(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	tn, err := o.findOrCurrent(ctx, c, o.name)
	if err != nil {
		return err
	}
	if tn.DeletionTimestamp == nil {
		status, expires, _ := state(tn, c.Now())
		o.ok(tn.Name, fmt.Sprintf("status is %s; expires: %s", status, expires))
		return nil
	}
	o.reportTerminating(tn, c.Now(), func() ([]corev1.Pod, error) { return c.Pods(ctx, tn.Name) })
	return nil
}

// checkTerminating checks the user's namespaces that are being deleted.
func (o *doctorOptions) checkTerminating(ctx context.Context, c *client.Client) {
	opts := metav1.ListOptions{}
	err := o.restrictToOwn(ctx, c, &opts)
	var list *v1alpha1.TemporaryNamespaceList
	if err == nil {
		list, err = c.List(ctx, opts)
	}
	if err != nil {
		o.failWith("your namespaces", err)
		return
	}
	before := len(o.findings)
	for i := range list.Items {
		if tn := &list.Items[i]; tn.DeletionTimestamp != nil && !o.isProgressing(tn, c) {
			o.reportTerminating(tn, c.Now(), func() ([]corev1.Pod, error) { return c.Pods(ctx, tn.Name) })
		}
	}
	if len(o.findings) == before {
		o.ok("your namespaces", fmt.Sprintf("%d, none stuck", len(list.Items)))
	}
}

// failWith reports an error, as it is said elsewhere.
func (o *doctorOptions) failWith(check string, err error) {
	message, hint := problem(err)
	o.fail(check, message, hint)
}

// problem returns an error as part of a line, and its hint.
func problem(err error) (message, hint string) {
	line, hint, _ := explain(err)
	return strings.TrimPrefix(line, "error: "), hintOf(err, hint)
}
