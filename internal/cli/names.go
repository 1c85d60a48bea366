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
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// A NAME that a user types is a full name, or is short for the full name with the prefix of
// the default class. A name that the server or a context supplies is always a full name.

// typedName returns the name in an argument: NAME, or what -o name prints for it, as kubectl takes
// it.
func typedName(arg string) string {
	kind, name, ok := strings.Cut(arg, "/")
	if !ok {
		return arg
	}
	switch kind {
	case "namespace", "namespaces", "ns", v1alpha1.Resource.Resource, "temporarynamespace", "tns",
		v1alpha1.Resource.GroupResource().String(), "temporarynamespace." + v1alpha1.GroupVersion.Group:
		return name
	}
	return arg
}

// prefixes are the name prefixes of an installation.
type prefixes struct {
	standard string   // of the default class; empty if there are several prefixes and no default
	all      []string // of all classes
}

// full returns the full names that a typed name can be short for, that with the standard
// prefix first.
func (p prefixes) full(name string) []string {
	var out []string
	for _, prefix := range p.all {
		if strings.HasPrefix(name, prefix) {
			continue
		}
		if full := prefix + name; prefix == p.standard {
			out = slices.Insert(out, 0, full)
		} else {
			out = append(out, full)
		}
	}
	return out
}

// prefixes returns the prefixes of this installation, and asks for them once. Those who
// cannot list the classes know none.
func (f *factory) prefixes(ctx context.Context, c *client.Client) (prefixes, error) {
	f.prefixesMu.Lock()
	defer f.prefixesMu.Unlock()
	if len(f.knownPrefixes.all) > 0 {
		return f.knownPrefixes, nil
	}
	classes, err := c.Classes(ctx)
	if err != nil {
		return prefixes{}, err
	}
	var out prefixes
	for i := range classes.Items {
		p := classes.Items[i].Status.Prefix
		if p != "" && !slices.Contains(out.all, p) {
			out.all = append(out.all, p)
		}
		if isDefault(&classes.Items[i]) {
			out.standard = p
		}
	}
	if len(out.all) == 1 {
		out.standard = out.all[0]
	}
	f.knownPrefixes = out
	return out, nil
}

// missingError says that no namespace has a name.
type missingError struct {
	error
	tried []string // the full names that were looked up
}

func (e *missingError) Unwrap() error { return e.error }

// find returns the temporary namespace with a typed name: the one with exactly this name or,
// if there is none, the one for which it is short. Errors: *missingError; *sharedError; an
// error that names the candidates, if the name could mean several.
func (f *factory) find(ctx context.Context, c *client.Client, name string) (*v1alpha1.TemporaryNamespace, error) {
	return f.lookUpTyped(ctx, c, name, false)
}

// lookUpTyped is find. If strict is set, a name is short for one with the standard prefix
// only: a script that deletes what is gone already must not delete another one.
func (f *factory) lookUpTyped(
	ctx context.Context, c *client.Client, name string, strict bool,
) (*v1alpha1.TemporaryNamespace, error) {
	if msgs := validation.IsDNS1123Label(name); len(msgs) > 0 {
		err := fmt.Errorf("invalid name %q: use lower-case letters, digits and dashes, at most 63 characters", name)
		return nil, withHint(err, slugHint(name))
	}
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan struct{})
	var known prefixes
	var unknown error
	go func() { defer close(answered); known, unknown = f.prefixes(asked, c) }()
	tn, err := c.Get(ctx, name)
	if !client.IsGone(err) {
		return tn, err
	}
	<-answered
	missing := &missingError{err, []string{name}}
	var found []*v1alpha1.TemporaryNamespace
	for i, full := range known.full(name) {
		tn, err := c.Get(ctx, full)
		if err == nil {
			found = append(found, tn)
			continue
		}
		if !client.IsGone(err) {
			return nil, err
		}
		if missing.tried = append(missing.tried, full); i == 0 && len(known.full(name)) == len(known.all) {
			missing.error = err // it has no prefix, so it is short
		}
	}
	switch {
	case len(found) == 1 && (!strict || known.standard != "" && found[0].Name == known.standard+name):
		return found[0], nil
	case len(found) == 1:
		missing.error = withHint(missing.error, fmt.Sprintf("for namespace %s, give its full name", found[0].Name))
		return nil, missing
	case len(found) > 1:
		names := make([]string, len(found))
		for i := range found {
			names[i] = found[i].Name
		}
		return nil, fmt.Errorf("%q could be %s: give the full name", name, strings.Join(names, " or "))
	}
	for _, full := range missing.tried {
		if tn, serr := c.Shared(ctx, full); serr == nil {
			return nil, &sharedError{tn}
		}
	}
	if unknown != nil {
		missing.error = withHint(missing.error, "give the full name: the prefixes of this installation cannot be read")
	}
	return nil, missing
}

// sharedError reports that a namespace belongs to another user and is shared with the caller.
type sharedError struct{ tn *v1alpha1.TemporaryNamespace }

func (e *sharedError) Error() string {
	return fmt.Sprintf("namespace %q belongs to %s and is shared with you: only its owner can do this",
		e.tn.Name, ownerOf(e.tn))
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
