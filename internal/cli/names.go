// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
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
