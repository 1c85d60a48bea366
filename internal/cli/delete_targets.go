// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// resolve returns the namespaces to delete, the full names that do not exist, and an error
// for each namespace that cannot be determined.
func (o *deleteOptions) resolve(
	ctx context.Context, c *client.Client,
) (targets []*v1alpha1.TemporaryNamespace, missing []string, errs []error) {
	if o.bySelector() {
		targets, err := o.selectOwn(ctx, c)
		if err != nil {
			errs = []error{err}
		}
		return targets, nil, errs
	}
	names := o.names
	if len(names) == 0 {
		names = []string{""} // the current one
	}
	for _, name := range names {
		tn, err := o.named(ctx, c, name)
		var gone *missingError
		switch {
		case err == nil:
			if !slices.ContainsFunc(targets, func(t *v1alpha1.TemporaryNamespace) bool { return t.UID == tn.UID }) {
				targets = append(targets, tn)
			}
			continue
		case errors.As(err, &gone):
			if missing = append(missing, gone.tried...); o.ignoreNotFound {
				o.noteMissing(ctx, c, gone.tried)
				continue
			}
		}
		errs = append(errs, err)
	}
	return targets, missing, errs
}

// noteMissing says whose namespace was looked for: a job that stops another job's namespace may
// run under another identity, which does not see it.
func (o *deleteOptions) noteMissing(ctx context.Context, c *client.Client, tried []string) {
	user, err := c.User(ctx)
	if err != nil {
		user = "unknown"
	}
	fmt.Fprintf(o.ErrOut, "Nothing to delete: user %q has no namespace %s.\n", term.Clean(user),
		strings.Join(tried, " or "))
}

// named returns the namespace with a typed name, or the current one if name is empty.
func (o *deleteOptions) named(
	ctx context.Context, c *client.Client, name string,
) (*v1alpha1.TemporaryNamespace, error) {
	if name == "" {
		return o.current(ctx, c)
	}
	return o.lookUpTyped(ctx, c, typedName(name), true)
}

// selectOwn returns the namespaces that --all or --selector select: those that belong to the
// caller alone. What a group owns, or a running command holds, has to be named.
func (o *deleteOptions) selectOwn(ctx context.Context, c *client.Client) ([]*v1alpha1.TemporaryNamespace, error) {
	user, err := c.User(ctx)
	if err != nil {
		return nil, fmt.Errorf("find out which namespaces are yours: %w", err)
	}
	opts := metav1.ListOptions{LabelSelector: o.selector,
		FieldSelector: fields.OneTermEqualSelector("status.owner", user).String()}
	list, err := c.List(ctx, opts)
	if err != nil {
		return nil, err
	}
	var out []*v1alpha1.TemporaryNamespace
	spared := 0
	for i := range list.Items {
		switch tn := &list.Items[i]; {
		case tn.DeletionTimestamp != nil, tn.Status.Owner != user:
		case tn.Status.OwnerGroup != "":
			spared++
			fmt.Fprintf(o.ErrOut, "Not deleted: namespace %s belongs to group %q; give its NAME.\n", tn.Name,
				term.Clean(tn.Status.OwnerGroup))
		case onHold(tn) != "":
			spared++
			fmt.Fprintf(o.ErrOut, "Not deleted: namespace %s is on hold: %s\n", tn.Name, term.Clean(onHold(tn)))
		case v1alpha1.Leased(tn) && tn.Status.ExpirationTimestamp.After(c.Now()):
			spared++
			fmt.Fprintf(o.ErrOut, "Not deleted: namespace %s is in use by a running command; give its NAME.\n", tn.Name)
		default:
			out = append(out, tn)
		}
	}
	if len(out)+spared == 0 {
		fmt.Fprintln(o.ErrOut, "No namespaces found.")
	}
	return out, nil
}
