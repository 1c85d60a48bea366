// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

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
	tn, err := f.findOrCurrent(ctx, c, name)
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

// findOrCurrent returns the temporary namespace with a typed name or, if name is empty, that
// of the current context.
func (f *factory) findOrCurrent(
	ctx context.Context, c *client.Client, name string,
) (*v1alpha1.TemporaryNamespace, error) {
	if name == "" {
		return f.current(ctx, c)
	}
	return f.find(ctx, c, name)
}

// current returns the temporary namespace of the context in use.
func (f *factory) current(ctx context.Context, c *client.Client) (*v1alpha1.TemporaryNamespace, error) {
	for flag, v := range map[string]*string{"--server": f.flags.APIServer, "--cluster": f.flags.ClusterName} {
		if *v != "" {
			return nil, fmt.Errorf("NAME is required with %s: the context in use is of another cluster", flag)
		}
	}
	namespace := "" // of a context that tenama did not create
	if m, err := f.files().Load(); err == nil {
		context := m.CurrentContext
		if *f.flags.Context != "" {
			context = *f.flags.Context
		}
		if e, ours := m.Entry(context); ours {
			return f.ofContext(ctx, c, e)
		}
		if other := m.Contexts[context]; other != nil {
			namespace = other.Namespace
		}
	}
	if namespace != "" {
		tn, err := c.Get(ctx, namespace)
		if !client.IsGone(err) {
			return tn, err
		}
		if tn, err := c.Shared(ctx, namespace); err == nil {
			return nil, &sharedError{tn}
		}
	}
	own, err := f.listOwn(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(own) == 0 {
		return nil, errors.New("the current context is not a temporary namespace, and you have none: " +
			"create one with kubectl tenama create")
	}
	names := make([]string, len(own))
	for i := range own {
		names[i] = own[i].Name
	}
	name, err := f.choose(ctx, names, "the current context is not a temporary namespace: specify one of your namespaces")
	if err != nil {
		return nil, err
	}
	return c.Get(ctx, name)
}

// choose lets the user choose one of several namespaces, if there is a terminal to ask on. If
// not, the error begins with otherwise, and names them.
func (f *factory) choose(ctx context.Context, names []string, otherwise string) (string, error) {
	if !term.CanChoose(f.In, f.ErrOut) {
		return "", fmt.Errorf("%s: %s", otherwise, strings.Join(names, ", "))
	}
	return term.Choose(ctx, f.In, f.ErrOut, "Your namespaces:", names, "give a NAME")
}

// ofContext returns the temporary namespace of a context that tenama created. The UID that
// the context records decides; another program may have changed its namespace since.
func (f *factory) ofContext(
	ctx context.Context, c *client.Client, e kubeconfig.Entry,
) (*v1alpha1.TemporaryNamespace, error) {
	if e.Selected != e.Namespace {
		return nil, withHint(fmt.Errorf("context %q is of namespace %q, but another program set its namespace to %q",
			e.Context, e.Namespace, e.Selected), "say which one you mean: give its NAME")
	}
	tn, err := c.Get(ctx, e.Namespace)
	switch {
	case client.IsGone(err):
		if tn, err := c.Shared(ctx, e.Namespace); err == nil {
			return nil, &sharedError{tn}
		}
		return nil, &missingError{withHint(fmt.Errorf("the namespace %q of context %q is gone", e.Namespace, e.Context),
			"switch back, and remove the context: "+f.command("use -")), []string{e.Namespace}}
	case err != nil:
		return nil, err
	case e.UID != "" && string(tn.UID) != e.UID:
		return nil, withHint(fmt.Errorf("the namespace %q of context %q is gone, and another one has its name now",
			e.Namespace, e.Context), "if you mean the new one: kubectl tenama use "+e.Namespace)
	}
	return tn, nil
}

// restrictToOwn narrows a list to the namespaces of the caller: those that the caller
// created, or that a group of the caller owns. For users who may list all namespaces that
// takes a field selector; group-owned ones appear to them only with -A.
func (f *factory) restrictToOwn(ctx context.Context, c *client.Client, o *metav1.ListOptions) error {
	all, err := c.MayViewAll(ctx)
	if err == nil && !all {
		return nil
	}
	var user string
	if err == nil {
		user, err = c.User(ctx)
	}
	if err != nil {
		return fmt.Errorf("find out which namespaces are yours: %w", err)
	}
	o.FieldSelector = fields.OneTermEqualSelector("status.owner", user).String()
	return nil
}

// listOwn lists the caller's namespaces.
func (f *factory) listOwn(ctx context.Context, c *client.Client) ([]v1alpha1.TemporaryNamespace, error) {
	o := metav1.ListOptions{}
	if err := f.restrictToOwn(ctx, c, &o); err != nil {
		return nil, err
	}
	list, err := c.List(ctx, o)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
