// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// withPrefix is the full name of what the user calls name.
func withPrefix(name string) string {
	if strings.HasPrefix(name, v1alpha1.DefaultPrefix) {
		return name
	}
	return v1alpha1.DefaultPrefix + name
}

// find returns the temporary namespace that the user means: by its full name,
// by its name without the prefix, or, if name is empty, the one of the current
// context.
func (f *factory) find(ctx context.Context, c *client.Client, name string) (*v1alpha1.TemporaryNamespace, error) {
	if name == "" {
		var err error
		if name, err = f.current(ctx, c); err != nil {
			return nil, err
		}
	}
	if msgs := validation.IsDNS1123Label(name); len(msgs) > 0 {
		return nil, fmt.Errorf("%q is not the name of a namespace: names have lower-case letters, digits and dashes, 63 characters at most", name)
	}
	tn, err := c.Get(ctx, withPrefix(name))
	if !client.IsGone(err) {
		return tn, err
	}
	if prefix := f.prefix(ctx, c); prefix != v1alpha1.DefaultPrefix {
		if !strings.HasPrefix(name, prefix) {
			name = prefix + name
		}
		return c.Get(ctx, name)
	}
	return nil, err
}

// prefix is that of this installation. The broker names it when it refuses a
// name without it.
func (f *factory) prefix(ctx context.Context, c *client.Client) string {
	_, err := c.Create(ctx, &v1alpha1.TemporaryNamespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: "x"}, // no prefix is so short
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if p := otherPrefix(err); p != "" {
		return p
	}
	return v1alpha1.DefaultPrefix
}

// current is the temporary namespace of the current context.
func (f *factory) current(ctx context.Context, c *client.Client) (string, error) {
	if m, err := f.files().Load(); err == nil && *f.flags.Context == "" {
		if e, ours := m.Current(); ours {
			return e.Namespace, nil
		}
	}
	if ns, _, err := f.flags.ToRawKubeConfigLoader().Namespace(); err == nil && strings.HasPrefix(ns, v1alpha1.DefaultPrefix) {
		return ns, nil
	}
	own, err := f.own(ctx, c)
	if err != nil {
		return "", err
	}
	if len(own) == 0 {
		return "", errors.New("the current context is not a temporary namespace, and you have none: kubectl tenama create")
	}
	names := make([]string, len(own))
	for i := range own {
		names[i] = own[i].Name
	}
	return "", fmt.Errorf("the current context is not a temporary namespace: name one of yours: %s", strings.Join(names, ", "))
}

// own lists the caller's namespaces. Who may see everybody's gets them all from
// the server, so the owner is named where it is known.
func (f *factory) own(ctx context.Context, c *client.Client) ([]v1alpha1.TemporaryNamespace, error) {
	o := metav1.ListOptions{}
	if user, err := c.User(ctx); err == nil {
		o.FieldSelector = fields.OneTermEqualSelector("status.owner", user).String()
	}
	list, err := c.List(ctx, o)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
