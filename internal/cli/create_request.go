// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// createRequest holds the flags that describe the namespace to create, shared by create and run.
type createRequest struct {
	*factory

	name        string
	prefix      string // that the class demands; empty while it is not known
	ttl         durationValue
	class       string
	classByEnv  bool // class is TENAMA_CLASS
	set         pairsValue
	ownerGroup  string
	capacity    durationValue
	reason      string
	labels      pairsValue
	annotations pairsValue
	lease       time.Duration // zero means no lease
	dryRun      bool
}

func (r *createRequest) addFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.Var(&r.ttl, "ttl", "lifetime, such as 90m, 2h, 1d or 1w (default: set by the class)")
	fs.StringVar(&r.class, "class", "", "class of the namespace (default: the cluster's default class)")
	fs.Var(&r.set, "set", "parameter of the class; can be repeated; see kubectl tenama classes CLASS")
	fs.StringVar(&r.ownerGroup, "owner-group", "",
		"make one of your groups the owner instead of you, for pipelines in which the user name differs between jobs")
	fs.Var(&r.capacity, "wait-for-capacity", "if a budget is full, wait in the queue for up to this long (at most 1h)")
	fs.StringVar(&r.reason, "reason", "", "purpose of the namespace, shown in lists")
	fs.Var(&r.labels, "label", "label; can be repeated; the class decides which are also set on the Namespace")
	fs.Var(&r.annotations, "annotation",
		"annotation; can be repeated; the class decides which are also set on the Namespace")
	completeFlag(cmd, "ttl", completeDurations)
	completeFlag(cmd, "class", r.completeClasses)
	completeFlag(cmd, "set", r.completeParameters)
	completeFlag(cmd, "wait-for-capacity", completeDurations)
	for _, name := range []string{"owner-group", "reason", "label", "annotation"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
}

// readEnvironment sets the class, and if withTTL is set the lifetime, from variables, if no flag
// does.
func (r *createRequest) readEnvironment(withTTL bool) error {
	if v := os.Getenv("TENAMA_CLASS"); r.class == "" && v != "" {
		r.class, r.classByEnv = v, true
	}
	if v := os.Getenv("TENAMA_TTL"); withTTL && r.ttl.d == 0 && v != "" {
		if err := r.ttl.Set(v); err != nil {
			return fmt.Errorf("TENAMA_TTL %q: %w", v, err)
		}
	}
	return nil
}

func (r *createRequest) validate() error {
	if r.capacity.d > v1alpha1.MaxWait {
		return fmt.Errorf("--wait-for-capacity %s: must be at most %s", term.FormatDuration(r.capacity.d),
			term.FormatDuration(v1alpha1.MaxWait))
	}
	r.reason = r.cleanReason(r.reason)
	if err := validateLabels(r.labels); err != nil {
		return err
	}
	for k := range r.annotations {
		if len(validation.IsQualifiedName(strings.ToLower(k))) > 0 {
			return fmt.Errorf("--annotation %q: the key must consist of letters, digits, '-', '_' and '.', "+
				"at most 63 characters, with an optional domain and '/' before it", k)
		}
		if strings.HasPrefix(k, "tenama.dev/") {
			return fmt.Errorf("--annotation %q: keys with the prefix tenama.dev/ are reserved", k)
		}
	}
	if r.name != "" {
		if errs := v1alpha1.ValidateName(r.fullName(), "", nil); len(errs) > 0 {
			err := fmt.Errorf("invalid name %q: use lower-case letters, digits and dashes, at most %d characters, "+
				"with a letter or digit at the end",
				r.name, validation.DNS1123LabelMaxLength-len(r.fullName())+len(r.name))
			return withHint(err, slugHint(r.name))
		}
	}
	return nil
}

// object returns the requested object.
func (r *createRequest) object() *v1alpha1.TemporaryNamespace {
	tn := &v1alpha1.TemporaryNamespace{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{
			Labels:      r.labels,
			Annotations: map[string]string{v1alpha1.AnnotationRequestID: uuid.NewString()},
		},
		Spec: v1alpha1.TemporaryNamespaceSpec{
			ClassName: r.class, Reason: r.reason, Parameters: r.set, OwnerGroup: r.ownerGroup,
		},
	}
	for k, v := range r.annotations {
		tn.Annotations[k] = v
	}
	if r.ttl.d > 0 {
		ttl := int64(r.ttl.d / time.Second)
		tn.Spec.TTLSeconds = &ttl
	}
	if r.lease > 0 {
		lease := int64(r.lease / time.Second)
		tn.Spec.LeaseDurationSeconds = &lease
	}
	return tn
}

// fullName returns the name with the prefix that the class demands, as far as it is known.
func (r *createRequest) fullName() string {
	prefix := cmp.Or(r.prefix, v1alpha1.DefaultPrefix)
	return prefix + strings.TrimPrefix(r.name, prefix)
}

// setName sets the name of tn, or the prefix of a generated name if none was given.
func (r *createRequest) setName(tn *v1alpha1.TemporaryNamespace) {
	tn.Name, tn.GenerateName = "", r.fullName()
	if r.name != "" {
		tn.Name, tn.GenerateName = tn.GenerateName, ""
	}
}

// readPrefix asks the server for the prefix that the class demands. What it does not tell,
// it tells when the namespace is created.
func (r *createRequest) readPrefix(ctx context.Context, c *client.Client) {
	if r.class == "" {
		if known, err := r.prefixes(ctx, c); err == nil {
			r.prefix = known.standard
		}
		return
	}
	if class, err := c.Class(ctx, r.class); err == nil {
		r.prefix = class.Status.Prefix
	}
}

// create sends the request, and repeats it if the broker requires a prefix other than
// the default.
func (r *createRequest) create(
	ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace,
) (*v1alpha1.TemporaryNamespace, error) {
	opts := metav1.CreateOptions{}
	if r.dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	send := func() (*v1alpha1.TemporaryNamespace, error) {
		if r.capacity.d == 0 || r.dryRun {
			return c.Create(ctx, tn, opts)
		}
		return c.CreateQueued(ctx, tn, r.capacity.d, func(message string) {
			fmt.Fprintf(r.ErrOut, "Waiting for capacity: %s\n", term.Clean(message))
		}, opts)
	}
	r.setName(tn)
	created, err := send()
	if prefix := requiredPrefix(err); prefix != "" && prefix != cmp.Or(r.prefix, v1alpha1.DefaultPrefix) {
		r.prefix = prefix
		r.setName(tn)
		created, err = send()
	}
	return created, err
}

// requiredPrefix returns the prefix that the broker requires, if err rejects a name for lacking it.
func requiredPrefix(err error) string {
	cause, _ := apierrors.StatusCause(err, v1alpha1.CauseNamePrefix)
	return cause.Field
}

// addHints adds creation-specific hints to err.
func (r *createRequest) addHints(ctx context.Context, err error) error {
	var known *failure
	if errors.As(err, &known) {
		return err
	}
	name := r.fullName()
	if budget, wait := client.IsOverBudget(err); budget != "" {
		if hint := r.suggestClasses(ctx); hint != "" {
			return withHint(err, hint)
		} else if !wait {
			return err
		}
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return withHint(err, "the namespace may still be created; check with: kubectl tenama list")
	case apierrors.IsAlreadyExists(err) && !apierrors.HasStatusCause(err, v1alpha1.CauseNameTaken):
		return withHint(err, fmt.Sprintf("you own it: run kubectl tenama extend %s or kubectl tenama use %s", name, name))
	}
	return err
}
