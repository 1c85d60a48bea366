// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestTaken verifies which contexts block a name: not the same namespace under another URL of
// its cluster, and not what has expired, on whatever cluster.
func TestTaken(t *testing.T) {
	const elsewhere, prod = "https://127.0.0.1:41233", `"tmp-a" at https://prod`
	for name, c := range map[string]struct {
		change func(*Entry) // of the context that is to be added
		age    time.Duration
		want   string
	}{
		"the same namespace":                  {func(*Entry) {}, 0, ""},
		"under another URL":                   {func(e *Entry) { e.Server = elsewhere }, 0, ""},
		"under another URL, expired":          {func(e *Entry) { e.Server = elsewhere }, time.Hour, ""},
		"another one of the name":             {func(e *Entry) { e.UID = "2" }, 0, ""},
		"another cluster":                     {func(e *Entry) { e.UID, e.Server = "2", elsewhere }, 0, prod},
		"another cluster, expired":            {func(e *Entry) { e.UID, e.Server = "2", elsewhere }, time.Hour, ""},
		"another cluster, UID not yet known":  {func(e *Entry) { e.UID, e.Server = "", elsewhere }, 0, prod},
		"another namespace, the same context": {func(e *Entry) { e.UID, e.Namespace = "2", "tmp-b" }, 0, prod},
	} {
		files, _ := use(t, ordinary)
		old := entry("tmp-a")
		if c.age > 0 {
			old.ExpiresAt = time.Now().Add(-c.age)
		}
		if _, err := files.Add(t.Context(), old, true); err != nil {
			t.Fatal(err)
		}
		e := entry("tmp-a")
		c.change(&e)
		err := files.Taken(e)
		if errors.Is(err, ErrTaken) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if _, added := files.Add(t.Context(), e, true); (added == nil) != (err == nil) {
			t.Errorf("%s: Taken says %v, Add %v", name, err, added)
		}
	}
}

// TestRenamed verifies that a usable context is current after the removal of one, also if another
// program renamed the context from before.
func TestRenamed(t *testing.T) {
	for name, c := range map[string]struct {
		contexts string // after the renaming
		want     string
	}{
		"renamed":            {"- name: live\n  context: {cluster: prod, user: ann}\n", "live"},
		"of another user":    {"- name: live\n  context: {cluster: prod, user: bob}\n", ""},
		"of another cluster": {"- name: live\n  context: {cluster: dev, user: ann}\n", ""},
		"several": {"- name: live\n  context: {cluster: prod, user: ann}\n" +
			"- name: blue\n  context: {cluster: prod, user: ann, namespace: blue}\n", ""},
		"none": {"", ""},
	} {
		files, _ := use(t, "apiVersion: v1\nkind: Config\ncurrent-context: prod\ncontexts:\n"+
			"- name: prod\n  context: {cluster: prod, user: ann}\n"+c.contexts)
		if _, err := files.Add(t.Context(), entry("tmp-a"), true); err != nil {
			t.Fatal(err)
		}
		if _, err := files.edit(t.Context(), files.Destination(), func(*clientcmdapi.Config, *Merged) (*change, error) {
			return &change{remove: map[string]bool{"prod": true}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		m, err := files.Load()
		if err != nil || m.PreviousContext() != c.want {
			t.Errorf("%s: the previous context is %q, %v, want %q", name, m.PreviousContext(), err, c.want)
		}
		if _, r, err := files.Remove(t.Context(), all); err != nil || r.Current != c.want {
			t.Errorf("%s: %q is current after the removal, %v, want %q", name, r.Current, err, c.want)
		}
	}
}
