// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// borrow holds the flags that describe the namespace to create, shared by create and run.
type borrow struct {
	*factory

	name        string
	ttl         durationValue
	class       string
	set         map[string]string
	ownerGroup  string
	capacity    durationValue
	reason      string
	labels      map[string]string
	annotations map[string]string
	lease       time.Duration // zero means no lease
	dryRun      bool
}

func (b *borrow) addFlags(fs *pflag.FlagSet) {
	fs.Var(&b.ttl, "ttl", "lifetime, such as 90m, 2h, 1d or 1w (default: set by the class)")
	fs.StringVar(&b.class, "class", "", "class of the namespace (default: the cluster's default class)")
	fs.StringToStringVar(&b.set, "set", nil, "parameters of the class, as NAME=VALUE; see kubectl tenama classes CLASS")
	fs.StringVar(&b.ownerGroup, "owner-group", "", "make one of your groups the owner instead of you, for pipelines in which the user name differs between jobs")
	fs.Var(&b.capacity, "wait-for-capacity", "if a budget is full, wait in the queue for up to this long (at most 1h)")
	fs.StringVar(&b.reason, "reason", "", "purpose of the namespace, shown in lists")
	fs.StringToStringVar(&b.labels, "label", nil, "labels, as KEY=VALUE; the class decides which of them are also set on the Namespace")
	fs.StringToStringVar(&b.annotations, "annotation", nil, "annotations, as KEY=VALUE; the class decides which of them are also set on the Namespace")
}

func (b *borrow) validate() error {
	if b.capacity.d > v1alpha1.MaxWait {
		return fmt.Errorf("--wait-for-capacity %s: must be at most %s", human(b.capacity.d), human(v1alpha1.MaxWait))
	}
	for k := range b.annotations {
		if strings.HasPrefix(k, "tenama.dev/") {
			return fmt.Errorf("--annotation %q: keys with the prefix tenama.dev/ are reserved", k)
		}
	}
	if b.name != "" {
		if errs := v1alpha1.ValidateName(withPrefix(b.name), "", nil); len(errs) > 0 {
			return fmt.Errorf("invalid name %q: use lower-case letters, digits and dashes, at most %d characters, with a letter or digit at the end",
				b.name, validation.DNS1123LabelMaxLength-len(withPrefix(b.name))+len(b.name))
		}
	}
	return nil
}

// wanted returns the requested object.
func (b *borrow) wanted() *v1alpha1.TemporaryNamespace {
	tn := &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{Labels: b.labels, Annotations: map[string]string{v1alpha1.AnnotationRequestID: uuid.NewString()}},
		Spec:       v1alpha1.TemporaryNamespaceSpec{ClassName: b.class, Reason: b.reason, Parameters: b.set, OwnerGroup: b.ownerGroup},
	}
	for k, v := range b.annotations {
		tn.Annotations[k] = v
	}
	if b.ttl.d > 0 {
		ttl := int64(b.ttl.d / time.Second)
		tn.Spec.TTLSeconds = &ttl
	}
	if b.lease > 0 {
		lease := int64(b.lease / time.Second)
		tn.Spec.LeaseDurationSeconds = &lease
	}
	return tn
}

// create sends the request, and repeats it if the broker requires a prefix other than
// the default.
func (b *borrow) create(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) (*v1alpha1.TemporaryNamespace, error) {
	name := func(prefix string) {
		tn.Name, tn.GenerateName = "", prefix
		if b.name != "" {
			tn.Name, tn.GenerateName = prefix+strings.TrimPrefix(b.name, prefix), ""
		}
	}
	opts := metav1.CreateOptions{}
	if b.dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	send := func() (*v1alpha1.TemporaryNamespace, error) {
		if b.capacity.d == 0 || b.dryRun {
			return c.Create(ctx, tn, opts)
		}
		return c.CreateInLine(ctx, tn, b.capacity.d, func(said string) {
			fmt.Fprintf(b.ErrOut, "Waiting for capacity: %s\n", clean(said))
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

// otherPrefix returns the prefix that the broker requires, if err rejects a name for lacking it.
func otherPrefix(err error) string {
	cause, _ := apierrors.StatusCause(err, v1alpha1.CauseNamePrefix)
	return cause.Field
}

// explain adds creation-specific hints to err.
func (b *borrow) explain(ctx context.Context, err error) error {
	var said *failure
	if errors.As(err, &said) {
		return err
	}
	name := withPrefix(b.name)
	if budget, wait := client.IsOverBudget(err); budget != "" {
		if others := b.fitting(ctx); others != "" {
			return advise(err, others)
		} else if !wait {
			return err
		}
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return advise(err, "the namespace may still be created; check with: kubectl tenama list")
	case apierrors.IsAlreadyExists(err) && !apierrors.HasStatusCause(err, v1alpha1.CauseNameTaken):
		return advise(err, fmt.Sprintf("you own it: run kubectl tenama extend %s or kubectl tenama use %s", name, name))
	}
	return err
}
