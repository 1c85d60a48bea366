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
	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// withPrefix returns name with the default prefix.
func withPrefix(name string) string {
	if strings.HasPrefix(name, v1alpha1.DefaultPrefix) {
		return name
	}
	return v1alpha1.DefaultPrefix + name
}

// candidates returns the full names that name can stand for, with and without prefix, in an
// installation with the given prefixes. The first one is that of the default prefix.
func candidates(name string, prefixes []string) []string {
	out := []string{withPrefix(name)}
	for _, prefix := range prefixes {
		full := name
		if !strings.HasPrefix(name, prefix) {
			full = prefix + name
		}
		if !slices.Contains(out, full) {
			out = append(out, full)
		}
	}
	return out
}

// target returns the client, and the temporary namespace that the argument NAME, -n or the
// current context names.
func (f *factory) target(ctx context.Context, args []string) (*client.Client, *v1alpha1.TemporaryNamespace, error) {
	name, err := f.targetName(args)
	if err != nil {
		return nil, nil, err
	}
	c, err := f.client()
	if err != nil {
		return nil, nil, err
	}
	tn, err := f.find(ctx, c, name)
	return c, tn, err
}

// activeTarget is like target, and rejects a namespace that is being deleted.
func (f *factory) activeTarget(
	ctx context.Context, args []string,
) (*client.Client, *v1alpha1.TemporaryNamespace, error) {
	c, tn, err := f.target(ctx, args)
	if err == nil && tn.DeletionTimestamp != nil {
		err = fmt.Errorf("namespace %q is being deleted", tn.Name)
	}
	return c, tn, err
}

// find returns the temporary namespace with the given name, with or without prefix; if
// name is empty, the one of the current context.
func (f *factory) find(ctx context.Context, c *client.Client, name string) (*v1alpha1.TemporaryNamespace, error) {
	if name == "" {
		var err error
		if name, err = f.current(ctx, c); err != nil {
			return nil, err
		}
	}
	if msgs := validation.IsDNS1123Label(name); len(msgs) > 0 {
		return nil, fmt.Errorf("invalid name %q: use lower-case letters, digits and dashes, at most 63 characters", name)
	}
	tn, err := c.Get(ctx, withPrefix(name))
	if !client.IsGone(err) {
		return tn, err
	}
	for _, full := range candidates(name, f.prefixes(ctx, c))[1:] {
		if tn, other := c.Get(ctx, full); !client.IsGone(other) {
			return tn, other
		}
	}
	for _, full := range []string{withPrefix(name), name} {
		if tn, serr := c.Shared(ctx, full); serr == nil {
			return nil, &sharedError{tn}
		}
	}
	return nil, err
}

// sharedError reports that a namespace belongs to another user and is shared with the caller.
type sharedError struct{ tn *v1alpha1.TemporaryNamespace }

func (e *sharedError) Error() string {
	return fmt.Sprintf("namespace %q belongs to %s and is shared with you: only its owner can do this",
		e.tn.Name, ownerOf(e.tn))
}

// prefixes returns the name prefixes of the classes of this installation.
func (f *factory) prefixes(ctx context.Context, c *client.Client) []string {
	classes, err := c.Classes(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for i := range classes.Items {
		if p := classes.Items[i].Status.Prefix; p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// current returns the temporary namespace of the current context.
func (f *factory) current(ctx context.Context, c *client.Client) (string, error) {
	if m, err := f.files().Load(); err == nil && *f.flags.Context == "" {
		if e, ours := m.Current(); ours {
			return e.Namespace, nil
		}
	}
	if ns, _, err := f.flags.ToRawKubeConfigLoader().Namespace(); err == nil &&
		strings.HasPrefix(ns, v1alpha1.DefaultPrefix) {
		return ns, nil
	}
	own, err := f.listOwn(ctx, c)
	if err != nil {
		return "", err
	}
	if len(own) == 0 {
		return "", errors.New("the current context is not a temporary namespace, and you have none: " +
			"create one with kubectl tenama create")
	}
	names := make([]string, len(own))
	for i := range own {
		names[i] = own[i].Name
	}
	return "", fmt.Errorf("the current context is not a temporary namespace: specify one of your namespaces: %s",
		strings.Join(names, ", "))
}

// restrictToOwn narrows a list to the namespaces of the caller. For users who may list all
// namespaces that takes a field selector; group-owned ones appear to them only with -A.
func (f *factory) restrictToOwn(ctx context.Context, c *client.Client, o *metav1.ListOptions) {
	if all, err := c.MayViewAll(ctx); err != nil || !all {
		return
	}
	if user, err := c.User(ctx); err == nil {
		o.FieldSelector = fields.OneTermEqualSelector("status.owner", user).String()
	}
}

// listOwn lists the caller's namespaces.
func (f *factory) listOwn(ctx context.Context, c *client.Client) ([]v1alpha1.TemporaryNamespace, error) {
	o := metav1.ListOptions{}
	f.restrictToOwn(ctx, c, &o)
	list, err := c.List(ctx, o)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
