// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"cmp"
	"encoding/json"
	"maps"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// contextExtension is the name of the marker extension in a context created by tenama.
const contextExtension = "tenama.dev/context"

// Entry is a context created by tenama.
type Entry struct {
	Context   string // name of the context
	Cluster   string // the user's own cluster and user entries that the context refers to
	User      string
	Namespace string // the temporary namespace
	Selected  string // the namespace that the context has now: other programs may have changed it

	UID       string    // UID of the TemporaryNamespace
	Server    string    // URL of the API server, which identifies the cluster
	ExpiresAt time.Time // last known expiry
	Previous  string    // the context that was current before this one
	// Origin is the last context before Previous that was not created by tenama; it
	// becomes current when Previous no longer exists. OriginUnset means that the file
	// did not set current-context, so that returning to the origin removes it.
	Origin      string
	OriginUnset bool
	Since       time.Time // time when the context last became current
}

// marker is the serialized form of what a context does not hold itself.
type marker struct {
	Namespace   string    `json:"namespace,omitempty"`
	UID         string    `json:"uid"`
	Server      string    `json:"server"`
	ExpiresAt   time.Time `json:"expiresAt"`
	Previous    string    `json:"previousContext,omitempty"`
	Origin      string    `json:"originContext,omitempty"`
	OriginUnset bool      `json:"originUnset,omitempty"`
	Since       time.Time `json:"since,omitzero"`
}

// PreviousContext returns the name of the context that was current before the current one. If
// tenama created the current context, this is the context recorded in its entry;
// otherwise it is the context of the temporary namespace from which the user last
// switched to the current context. The result is empty if no such context exists any
// more.
func (m *Merged) PreviousContext() string {
	exists := func(name string) bool { _, ok := m.Contexts[name]; return ok }
	if e, ours := m.Current(); ours {
		if p, ours := entryOf(e.Previous, m.Contexts[e.Previous]); exists(e.Previous) && !(ours && p.Expired()) {
			return e.Previous
		}
		if exists(e.Origin) {
			return e.Origin
		}
		return m.substitute(e)
	}
	var last Entry
	for _, e := range m.Entries() {
		if !e.Expired() && !e.Since.Before(last.Since) && (e.Previous == m.CurrentContext || e.Origin == m.CurrentContext) {
			last = e
		}
	}
	return last.Context
}

// Without returns m without a context.
func (m *Merged) Without(context string) *Merged {
	out := *m
	out.Contexts = maps.Clone(m.Contexts)
	delete(out.Contexts, context)
	return &out
}

// substitute returns the only context of the user's own with the cluster and user of e: the
// one that another program renamed, if the contexts from before e no longer exist. The
// result is empty if there are none or several.
func (m *Merged) substitute(e Entry) string {
	var found []string
	for name, c := range m.Contexts {
		if _, ours := entryOf(name, c); !ours && c.Cluster == e.Cluster && c.AuthInfo == e.User {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// ContextName returns the default name of the context of a namespace.
func ContextName(namespace string) string { return "tenama-" + namespace }

func (e Entry) context() (*clientcmdapi.Context, error) {
	raw, err := json.Marshal(marker{e.Namespace, e.UID, e.Server, e.ExpiresAt, e.Previous, e.Origin, e.OriginUnset,
		e.Since})
	if err != nil {
		return nil, err
	}
	return &clientcmdapi.Context{
		Cluster: e.Cluster, AuthInfo: e.User, Namespace: cmp.Or(e.Selected, e.Namespace),
		Extensions: map[string]runtime.Object{
			contextExtension: &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON},
		},
	}, nil
}

// entryOf returns the Entry of a context; ok is false if tenama did not create the
// context.
func entryOf(name string, c *clientcmdapi.Context) (e Entry, ok bool) {
	if c == nil {
		return Entry{}, false
	}
	u, ok := c.Extensions[contextExtension].(*runtime.Unknown)
	if !ok {
		return Entry{}, false
	}
	var m marker
	if json.Unmarshal(u.Raw, &m) != nil {
		return Entry{}, false
	}
	return Entry{
		Context: name, Cluster: c.Cluster, User: c.AuthInfo, Namespace: cmp.Or(m.Namespace, c.Namespace),
		Selected: c.Namespace,
		UID:      m.UID, Server: m.Server, ExpiresAt: m.ExpiresAt, Previous: m.Previous, Origin: m.Origin,
		OriginUnset: m.OriginUnset, Since: m.Since,
	}, true
}

// Expired reports whether the namespace has expired according to its last known expiry.
func (e Entry) Expired() bool { return !e.ExpiresAt.IsZero() && !time.Now().Before(e.ExpiresAt) }

// Entries returns the contexts created by tenama, sorted by name.
func (m *Merged) Entries() []Entry {
	var out []Entry
	for name, c := range m.Contexts {
		if e, ok := entryOf(name, c); ok {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Context < out[j].Context })
	return out
}

// Current returns the entry of the current context, and whether tenama created that
// context.
func (m *Merged) Current() (Entry, bool) { return m.Entry(m.CurrentContext) }

// Entry returns the entry of a context, and whether tenama created it.
func (m *Merged) Entry(context string) (Entry, bool) { return entryOf(context, m.Contexts[context]) }
