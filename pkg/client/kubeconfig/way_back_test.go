// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestTheWayBack verifies that, after any switching between temporary namespaces,
// removal restores the user's original context.
func TestTheWayBack(t *testing.T) {
	files, _ := use(t, ordinary)
	ctx := t.Context()
	current := func(want string) {
		t.Helper()
		m, err := files.Load()
		if err != nil {
			t.Fatal(err)
		}
		if m.CurrentContext != want {
			t.Errorf("current context is %q, want %q", m.CurrentContext, want)
		}
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	remove := func(ns string) {
		t.Helper()
		if _, _, err := files.Remove(ctx, func(e Entry) bool { return e.Namespace == ns }); err != nil {
			t.Fatal(err)
		}
	}
	must(files.Add(ctx, entry("tmp-a"), true))
	must(files.Add(ctx, entry("tmp-b"), true))
	must(files.Use(ctx, "tenama-tmp-a"))
	must(files.Use(ctx, "tenama-tmp-b"))
	remove("tmp-a")
	current("tenama-tmp-b")
	must(files.Add(ctx, entry("tmp-c"), true))
	remove("tmp-c")
	current("tenama-tmp-b")
	remove("tmp-b")
	current("prod")
	must(files.Add(ctx, entry("tmp-d"), true))
	must(files.Use(ctx, "blue"))
	remove("tmp-d")
	current("blue")

	// The context is not current at first, and another tool switches to it later: the
	// original context is restored nevertheless.
	must(files.Add(ctx, entry("tmp-e"), false))
	m, _ := files.Load()
	if got := m.PreviousContext(); got != "" && got != "tenama-tmp-e" {
		t.Errorf("before blue was %q", got)
	}
	must(files.edit(ctx, files.Destination(), func(*clientcmdapi.Config, *Merged) (*change, error) {
		name := "tenama-tmp-e"
		return &change{current: &name}, nil
	}))
	remove("tmp-e")
	current("blue")

	// An expired context must not become current again.
	old := entry("tmp-f")
	old.ExpiresAt = time.Now().Add(-time.Hour)
	must(files.Add(ctx, old, true))
	must(files.Add(ctx, entry("tmp-g"), true))
	remove("tmp-g")
	current("blue")

	// Switching back and forth returns to the most recently used of several temporary
	// namespaces.
	must(files.Add(ctx, entry("tmp-h"), true))
	must(files.Use(ctx, "blue"))
	must(files.Add(ctx, entry("tmp-i"), true))
	must(files.Use(ctx, "blue"))
	if m, _ := files.Load(); m.PreviousContext() != "tenama-tmp-i" {
		t.Errorf("before blue was %q, want tmp-i", m.PreviousContext())
	}
}

// TestCurrentInAnotherFile verifies that both files are corrected if the context is in
// one file and current-context in another.
func TestCurrentInAnotherFile(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	os.WriteFile(b, []byte(ordinary), 0o600)
	if _, err := Find(b).Add(t.Context(), entry("tmp-a"), false); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(a, []byte("apiVersion: v1\ncurrent-context: tenama-tmp-a\n"), 0o600)
	t.Setenv("KUBECONFIG", a+string(os.PathListSeparator)+b)
	_, r, err := Find("").Remove(t.Context(), all)
	if err != nil || r.Current != "prod" {
		t.Errorf("current is %q (%v), want prod", r.Current, err)
	}
	if read1(t, b) != ordinary {
		t.Errorf("the second file is\n%s", read1(t, b))
	}
}
