// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"encoding/json"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// extension is the name of the marker in a context that tenama made.
const extension = "tenama.dev/context"

// Entry is one context that tenama made.
type Entry struct {
	Context   string // its name
	Cluster   string // entries of the user's own that it reuses
	User      string
	Namespace string

	UID       string    // of the TemporaryNamespace
	Server    string    // URL of the API server, to tell clusters apart
	ExpiresAt time.Time // as last heard
	Previous  string    // the context that was current before this one
	// Origin is the last one before that which tenama did not make: the way back
	// when Previous is gone, too. OriginUnset says that the file did not set it,
	// so that going back means removing current-context.
	Origin      string
	OriginUnset bool
	Since       time.Time // when it was made current last
}

// marker is how the last seven stand in the file.
type marker struct {
	UID         string    `json:"uid"`
	Server      string    `json:"server"`
	ExpiresAt   time.Time `json:"expiresAt"`
	Previous    string    `json:"previousContext,omitempty"`
	Origin      string    `json:"originContext,omitempty"`
	OriginUnset bool      `json:"originUnset,omitempty"`
	Since       time.Time `json:"since,omitzero"`
}

// Before is the context that was current before m's current one: for one that
// tenama made, the one that it remembers; else the temporary namespace that was
// left last for it. It is empty if there is none any more.
func (m *Merged) Before() string {
	exists := func(name string) bool { _, ok := m.Contexts[name]; return ok }
	if e, ours := m.Current(); ours {
		if p, ours := entryOf(e.Previous, m.Contexts[e.Previous]); exists(e.Previous) && !(ours && p.Expired()) {
			return e.Previous
		}
		if exists(e.Origin) {
			return e.Origin
		}
		return ""
	}
	var last Entry
	for _, e := range m.Entries() {
		if !e.Expired() && !e.Since.Before(last.Since) && (e.Previous == m.CurrentContext || e.Origin == m.CurrentContext) {
			last = e
		}
	}
	return last.Context
}

// ContextName is the name of the context of a namespace, if nobody chose
// another.
func ContextName(namespace string) string { return "tenama-" + namespace }

func (e Entry) context() (*clientcmdapi.Context, error) {
	raw, err := json.Marshal(marker{e.UID, e.Server, e.ExpiresAt, e.Previous, e.Origin, e.OriginUnset, e.Since})
	if err != nil {
		return nil, err
	}
	return &clientcmdapi.Context{
		Cluster: e.Cluster, AuthInfo: e.User, Namespace: e.Namespace,
		Extensions: map[string]runtime.Object{extension: &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON}},
	}, nil
}

// entryOf reads a context; ok is false if tenama did not make it.
func entryOf(name string, c *clientcmdapi.Context) (e Entry, ok bool) {
	if c == nil {
		return Entry{}, false
	}
	u, ok := c.Extensions[extension].(*runtime.Unknown)
	if !ok {
		return Entry{}, false
	}
	var m marker
	if json.Unmarshal(u.Raw, &m) != nil {
		return Entry{}, false
	}
	return Entry{
		Context: name, Cluster: c.Cluster, User: c.AuthInfo, Namespace: c.Namespace,
		UID: m.UID, Server: m.Server, ExpiresAt: m.ExpiresAt, Previous: m.Previous, Origin: m.Origin, OriginUnset: m.OriginUnset, Since: m.Since,
	}, true
}

// Expired tells whether, as far as is known, the namespace has ended.
func (e Entry) Expired() bool { return !e.ExpiresAt.IsZero() && !time.Now().Before(e.ExpiresAt) }

// Entries are the contexts that tenama made, by name.
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

// Current is the current context, if tenama made it.
func (m *Merged) Current() (Entry, bool) {
	return entryOf(m.CurrentContext, m.Contexts[m.CurrentContext])
}
