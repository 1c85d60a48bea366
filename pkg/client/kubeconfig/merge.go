// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ErrTaken means that a context with the requested name exists and must not be
// replaced. The error is a *TakenError.
var ErrTaken = errors.New("the name is taken by another context")

// TakenError names the context that has the requested name.
type TakenError struct {
	Context, File string
	Namespace     string // its temporary namespace; empty if tenama did not create the context
	Server        string // URL of the cluster of this namespace
}

func (e *TakenError) Error() string {
	of := ""
	if e.Namespace != "" {
		of = fmt.Sprintf(", of the temporary namespace %q at %s", e.Namespace, e.Server)
	}
	return fmt.Sprintf("context %q in %q%s: %v", e.Context, e.File, of, ErrTaken)
}

func (e *TakenError) Unwrap() error { return ErrTaken }

// Result describes the outcome of a change.
type Result struct {
	File      string // the file that was written; empty if no write was necessary
	Current   string // the current context now
	Previous  string // the current context before
	Rewritten bool   // the file was not ordinary block YAML, was rewritten, and lost its comments
}

// Taken returns ErrTaken if e must not be written: a context with that name exists that
// tenama did not create, or that is of another namespace which has not expired yet.
func (f *Files) Taken(e Entry) error {
	m, err := f.Load()
	if err != nil {
		return err
	}
	return taken(e, m)
}

func taken(e Entry, m *Merged) error {
	c, ok := m.Contexts[e.Context]
	if !ok {
		return nil
	}
	old, ours := entryOf(e.Context, c)
	switch {
	case !ours:
		return &TakenError{Context: e.Context, File: m.file[e.Context]}
	case old.UID == e.UID && e.UID != "", old.Expired(): // a UID means the same cluster, under whatever URL
		return nil
	case old.Server != e.Server, old.Namespace != e.Namespace:
		return &TakenError{e.Context, m.file[e.Context], old.Namespace, old.Server}
	}
	return nil
}

// Add writes or updates e, and makes it the current context if use is set. The entry
// records the context that was current before.
func (f *Files) Add(ctx context.Context, e Entry, makeCurrent bool) (Result, error) {
	dest := f.Destination()
	if m, err := f.Load(); err == nil && !makeCurrent && m.file[e.Context] != "" {
		dest = m.file[e.Context] // an existing entry stays in its file
	}
	return f.edit(ctx, dest, func(content *clientcmdapi.Config, m *Merged) (*change, error) {
		if err := taken(e, m); err != nil {
			return nil, err
		}
		return addition(e, makeCurrent, dest, content, m)
	})
}

// Use makes the named context the current one. If tenama created the context, its entry
// records the context that was current before.
func (f *Files) Use(ctx context.Context, name string) (Result, error) {
	dest := f.Destination()
	return f.edit(ctx, dest, func(content *clientcmdapi.Config, m *Merged) (*change, error) {
		c, ok := m.Contexts[name]
		if !ok {
			return nil, fmt.Errorf("no context %q in the kubeconfig", name)
		}
		if e, ours := entryOf(name, c); ours {
			return addition(e, true, dest, content, m)
		}
		if m.CurrentContext == name {
			return &change{}, nil
		}
		return &change{current: &name}, nil
	})
}

// addition returns the change to file dest that writes e.
func addition(e Entry, makeCurrent bool, dest string, content *clientcmdapi.Config, m *Merged) (*change, error) {
	old, known := entryOf(e.Context, m.Contexts[e.Context])
	e.Selected = e.Namespace
	if known && old.UID == e.UID && !makeCurrent { // what another program selected stays
		e.Selected = old.Selected
	}
	// A current context that is replaced, because its namespace was recreated, leads back to
	// where the old one did.
	if known && (old.UID == e.UID || m.CurrentContext == e.Context) {
		e.Previous, e.Origin, e.OriginUnset, e.Since = old.Previous, old.Origin, old.OriginUnset, old.Since
	}
	c := &change{set: map[string]*clientcmdapi.Context{}}
	if m.CurrentContext != e.Context && (makeCurrent || !known) {
		e.Origin, e.OriginUnset = m.CurrentContext, content.CurrentContext == ""
		if previous, ours := m.Current(); ours {
			e.Origin, e.OriginUnset = previous.Origin, previous.OriginUnset
		}
	}
	if makeCurrent && m.CurrentContext != e.Context {
		e.Previous, e.Since = m.CurrentContext, time.Now().UTC().Truncate(time.Millisecond)
		c.current = &e.Context
	}
	e.ExpiresAt = e.ExpiresAt.UTC().Truncate(time.Second)
	if known && old == e && m.file[e.Context] == dest {
		return c, nil
	}
	context, err := e.context()
	if err != nil {
		return nil, err
	}
	c.set[e.Context] = context
	return c, nil
}

// Remove removes the contexts of the entries for which gone returns true, from all
// files. If one of them is the current context, the previous context becomes current
// again.
func (f *Files) Remove(ctx context.Context, gone func(Entry) bool) ([]Entry, Result, error) {
	m, err := f.Load()
	if err != nil {
		return nil, Result{}, err
	}
	var removed []Entry
	for _, e := range m.Entries() {
		if gone(e) {
			removed = append(removed, e)
		}
	}
	result := Result{Current: m.CurrentContext, Previous: m.CurrentContext}
	if len(removed) == 0 {
		return nil, result, nil
	}
	isRemoved := func(name string) bool {
		return slices.ContainsFunc(removed, func(r Entry) bool { return r.Context == name })
	}
	// Change current-context first, so that it never refers to a context that does not
	// exist.
	for _, current := range []bool{true, false} {
		for _, file := range f.list {
			affected := current && isRemoved(m.current[file]) ||
				!current && slices.ContainsFunc(removed, func(e Entry) bool { return m.in[file][e.Context] })
			if !affected {
				continue
			}
			r, err := f.edit(ctx, file, func(content *clientcmdapi.Config, now *Merged) (*change, error) {
				c := &change{remove: map[string]bool{}}
				for name, context := range content.Contexts {
					e, ours := entryOf(name, context)
					if ours && slices.ContainsFunc(removed, func(r Entry) bool { return r.Context == name && r.UID == e.UID }) {
						c.remove[name] = true
					}
				}
				if e, ours := entryOf(content.CurrentContext, now.Contexts[content.CurrentContext]); ours && isRemoved(e.Context) {
					next := contextAfterRemoval(e, now, isRemoved)
					c.current = &next
				}
				return c, nil
			})
			if err != nil {
				return nil, result, err
			}
			if r.File != "" {
				result.File, result.Current, result.Rewritten = r.File, r.Current, result.Rewritten || r.Rewritten
			}
		}
	}
	return removed, result, nil
}

// contextAfterRemoval returns the new value of current-context when e, which is current, is removed
// together with all contexts for which isRemoved returns true. It is the context that was
// current before e or, if that one does not remain, the last one not created by tenama,
// also under another name; empty if the file did not set current-context.
func contextAfterRemoval(e Entry, m *Merged, isRemoved func(string) bool) string {
	remains := func(name string) bool {
		c, exists := m.Contexts[name]
		old, ours := entryOf(name, c)
		return exists && !isRemoved(name) && !(ours && old.Expired())
	}
	switch {
	case e.Previous != e.Origin && remains(e.Previous):
		return e.Previous
	case e.OriginUnset:
		return ""
	case remains(e.Origin):
		return e.Origin
	}
	return m.substitute(e)
}

// edit changes one file under its lock. decide receives the content of the file and of
// all files, both read under the lock.
func (f *Files) edit(
	ctx context.Context, file string, decide func(*clientcmdapi.Config, *Merged) (*change, error),
) (Result, error) {
	unlock, err := lock(ctx, file)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	content, config, err := load(file)
	if err != nil {
		return Result{}, err
	}
	m, err := f.Load()
	if err != nil {
		return Result{}, err
	}
	r := Result{Current: m.CurrentContext, Previous: m.CurrentContext}
	c, err := decide(config, m)
	if err != nil || c.empty() {
		return r, err
	}
	out, rewritten, err := c.apply(content, config)
	if err != nil {
		return r, err
	}
	if err := write(file, out); err != nil {
		return r, err
	}
	r.File, r.Rewritten = file, rewritten
	if m, err = f.Load(); err == nil {
		r.Current = m.CurrentContext
	}
	return r, nil
}
