// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// createOptions is one invocation of kubectl tenama create.
type createOptions struct {
	*factory
	output *outputFlag

	name        string
	ttl         durationValue
	class       string
	set         map[string]string
	ownerGroup  string
	capacity    durationValue
	reason      string
	contextName string
	switchTo    bool
	dryRun      string
}

func newCreateCommand(f *factory) *cobra.Command {
	o := &createOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Borrow a namespace and switch to it",
		Long: `Borrow a namespace and switch to it.

The namespace is ready when the command returns: its quota is in force, and you
have access. A context for it is added to your kubeconfig and made current; it
reuses your own cluster and user, so no credential is written. When the time is
up, the namespace is deleted with everything in it.

NAME gets the prefix "tmp-" unless it has it; without NAME one is made up.`,
		Example: `  # For two hours
  kubectl tenama create --ttl 2h

  # With a name of your own: tmp-mr-42
  kubectl tenama create mr-42 --ttl 1d --reason "review of !42"

  # Of another class, and larger than usual; in line if there is no room
  kubectl tenama create --class large --set cpu=16 --wait-for-capacity 30m

  # What would I get, and would it fit?
  kubectl tenama create --class large --dry-run=server

  # Only the name, for a script
  kubectl tenama create -o name`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.name, err = f.one(args); err != nil {
				return err
			}
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.Var(&o.ttl, "ttl", "how long it lives, such as 90m, 2h, 1d or 1w (default: what its class says)")
	fs.StringVar(&o.class, "class", "", "class of the namespace (default: the cluster's default class)")
	fs.StringToStringVar(&o.set, "set", nil, "choose a parameter of the class, as NAME=VALUE; see kubectl tenama classes CLASS")
	fs.StringVar(&o.ownerGroup, "owner-group", "", "make one of your groups the owner, in place of you: for pipelines whose user name differs from job to job")
	fs.Var(&o.capacity, "wait-for-capacity", "stand in line for at most so long if a budget of the cluster is full")
	fs.StringVar(&o.reason, "reason", "", "what it is for; shown in lists")
	fs.StringVar(&o.contextName, "context-name", "", "name of the context in the kubeconfig (default: tenama-NAME)")
	fs.BoolVar(&o.switchTo, "switch-context", true, "make the new context current")
	fs.StringVar(&o.dryRun, "dry-run", "none", `"none", or "server": have it checked, and make nothing`)
	o.output = addOutputFlag(cmd, false)
	return cmd
}

func (o *createOptions) validate() error {
	if o.dryRun != "none" && o.dryRun != "server" {
		return fmt.Errorf("--dry-run %q: use none or server", o.dryRun)
	}
	if o.capacity.d > v1alpha1.MaxWait {
		return fmt.Errorf("--wait-for-capacity %s: at most %s", human(o.capacity.d), human(v1alpha1.MaxWait))
	}
	if o.name != "" {
		if errs := v1alpha1.ValidateName(withPrefix(o.name), "", nil); len(errs) > 0 {
			return fmt.Errorf("%q cannot name a namespace: use lower-case letters, digits and dashes, 63 characters at most, with a letter or digit at the end", withPrefix(o.name))
		}
	}
	return o.output.validate()
}

func (o *createOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	tn := &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationRequestID: uuid.NewString()}},
		Spec:       v1alpha1.TemporaryNamespaceSpec{ClassName: o.class, Reason: o.reason, Parameters: o.set, OwnerGroup: o.ownerGroup},
	}
	if o.ttl.d > 0 {
		ttl := int64(o.ttl.d / time.Second)
		tn.Spec.TTLSeconds = &ttl
	}
	// A context that cannot be had is refused before anything is made, as far as
	// its name is known by now.
	if (o.name != "" || o.contextName != "") && o.dryRun == "none" {
		tn.Name = withPrefix(o.name)
		if o.name == "" {
			tn.Name = v1alpha1.DefaultPrefix + "x" // some name, for its checks
		}
		if e, err := o.entry(tn, o.contextName); err == nil {
			if err := o.files().Taken(e); errors.Is(err, kubeconfig.ErrTaken) {
				return advise(err, "choose another name for the context with --context-name")
			} else if err != nil {
				return err
			}
		}
	}
	made, err := o.create(ctx, c, tn)
	if err != nil {
		return o.explain(ctx, err)
	}
	if o.dryRun == "server" {
		if err := o.object(o.output, made, made.Name, "created (server dry run)"); err != nil || !o.output.human() {
			return err
		}
		return o.preview(ctx, c, made)
	}
	printed := o.object(o.output, made, made.Name, "created")
	if err := o.remember(ctx, made, o.contextName, o.switchTo); err != nil {
		return err
	}
	if printed != nil { // the namespace and its context are there all the same
		return fmt.Errorf("namespace %q is ready, but could not be printed: %w", made.Name, printed)
	}
	if t := made.Status.ExpirationTimestamp; t != nil {
		fmt.Fprintf(o.ErrOut, "Expires %s. More time: kubectl tenama extend. Back: kubectl tenama use -\n", in(t.Time, c.Now()))
	} else if made.Status.Lifetime == v1alpha1.LifetimeUnbounded {
		fmt.Fprintln(o.ErrOut, "It does not expire: kubectl tenama delete gives it back. Back: kubectl tenama use -")
	}
	return nil
}

// create sends the request, and once more if this installation turns out to
// have another prefix than the usual one.
func (o *createOptions) create(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) (*v1alpha1.TemporaryNamespace, error) {
	name := func(prefix string) {
		tn.Name, tn.GenerateName = "", prefix
		if o.name != "" {
			tn.Name, tn.GenerateName = prefix+strings.TrimPrefix(o.name, prefix), ""
		}
	}
	opts := metav1.CreateOptions{}
	if o.dryRun == "server" {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	send := func() (*v1alpha1.TemporaryNamespace, error) {
		if o.capacity.d == 0 || o.dryRun == "server" {
			return c.Create(ctx, tn, opts)
		}
		return c.CreateInLine(ctx, tn, o.capacity.d, func(said string) {
			fmt.Fprintf(o.ErrOut, "Waiting for room: %s\n", clean(said))
		}, opts)
	}
	name(v1alpha1.DefaultPrefix)
	made, err := send()
	if prefix := otherPrefix(err); prefix != "" && prefix != v1alpha1.DefaultPrefix {
		name(prefix)
		made, err = send()
	}
	return made, err
}

// otherPrefix is the prefix that the broker names when it refuses a name.
func otherPrefix(err error) string {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	for _, cause := range status.Status().Details.Causes {
		if _, rest, ok := strings.Cut(cause.Message, "must begin with "); ok && cause.Field == "metadata.name" {
			if quoted, err := strconv.QuotedPrefix(rest); err == nil {
				prefix, _ := strconv.Unquote(quoted)
				return prefix
			}
		}
	}
	return ""
}

// explain adds to an error what only create knows.
func (o *createOptions) explain(ctx context.Context, err error) error {
	name := withPrefix(o.name)
	if budget, wait := client.IsOverBudget(err); budget != "" {
		if others := o.fitting(ctx); others != "" {
			return advise(err, others)
		} else if !wait {
			return err
		}
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return advise(err, "the namespace may still be made; see: kubectl tenama list")
	case apierrors.IsAlreadyExists(err) && !strings.Contains(err.Error(), "somebody else"):
		return advise(err, fmt.Sprintf("it is yours: kubectl tenama extend %s, or: kubectl tenama use %s", name, name))
	}
	return err
}
