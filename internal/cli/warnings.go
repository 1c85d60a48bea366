// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

const (
	// farewellTime bounds what a command does beside its work, at its end.
	farewellTime = 2 * time.Second
	// mostAsked is of how many contexts a command asks whether their namespace is gone.
	mostAsked = 8
)

// heard shows what the server warns of, each once. Of namespaces that are about to
// end it is shown when the command has done its work, unless that dealt with it.
type heard struct {
	mu     sync.Mutex
	out    io.Writer
	said   map[string]bool
	ending map[string]string // by namespace
	dealt  map[string]bool
	only   bool // warn of the current namespace alone
}

func newHeard(out io.Writer) *heard {
	return &heard{out: out, said: map[string]bool{}, ending: map[string]string{}, dealt: map[string]bool{}}
}

// HandleWarningHeader is called by client-go (rest.WarningHandler).
func (h *heard) HandleWarningHeader(code int, agent, text string) {
	if code != 299 || text == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, ok := v1alpha1.ExpiringName(agent); ok {
		h.ending[name] = text
		return
	}
	if !h.said[text] {
		h.said[text] = true
		fmt.Fprintf(h.out, "Warning: %s\n", clean(text))
	}
}

// deal says that the user was told about the end of a namespace, or brought it about.
func (h *heard) deal(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dealt[name] = true
}

// farewell ends a command that spoke to the cluster: contexts of namespaces that are
// surely gone leave the kubeconfig, and if the current one is about to end its user
// hears of it, with what keeps it. The server says both; what it does not say within
// two seconds is not missed.
func (f *factory) farewell(ctx context.Context) {
	if f.made == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewellTime)
	defer cancel()
	current := ""
	if m, err := f.files().Load(); err == nil {
		server := f.server()
		if e, ours := m.Current(); ours && e.Server == server && *f.flags.Context == "" {
			current = e.Namespace
			near := !e.ExpiresAt.IsZero() && e.ExpiresAt.Sub(f.made.Now()) < v1alpha1.Soon && e.ExpiresAt.After(f.made.Now())
			if near && f.heard.ending[current] == "" && !f.heard.dealt[current] {
				_, _ = f.made.Get(ctx, current) // for its warning
			}
		}
		if !f.wrote {
			f.prune(ctx, m, server)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.heard.ending)) {
		if !f.heard.dealt[name] && (!f.heard.only || name == current) {
			fmt.Fprintf(f.ErrOut, "Warning: %s\n", clean(f.heard.ending[name]))
		}
	}
}

// prune removes the contexts of namespaces that are surely gone: the recorded expiry
// has passed by the server's clock, and the server says NotFound to the context's own
// user. An error is no such answer. The current context stays, and its user hears of
// it: which cluster the next command meets is not for us to decide in passing.
func (f *factory) prune(ctx context.Context, m *kubeconfig.Merged, server string) {
	gone := map[string]bool{}
	asked := 0
	for _, e := range m.Entries() {
		if asked == mostAsked || e.Server != server || e.ExpiresAt.IsZero() || e.ExpiresAt.After(f.made.Now()) || !f.sameUser(e) {
			continue
		}
		asked++
		tn, err := f.made.Get(ctx, e.Namespace)
		if client.IsGone(err) { // it may be somebody else's, and shared, and extended since
			tn, err = f.made.Shared(ctx, e.Namespace)
		}
		switch {
		case err == nil && len(gone) == 0 && tn.DeletionTimestamp == nil: // it lives: so that nobody asks again before it ends
			e.UID, e.ExpiresAt = string(tn.UID), lastsUntil(tn)
			_, _ = f.files().Add(ctx, e, false)
			return // one write a command; the others come in their turn
		case err == nil, !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) && !client.IsGone(err):
		case e.Context == m.CurrentContext:
			fmt.Fprintf(f.ErrOut, "Warning: namespace %q of the current context is gone. Back: kubectl tenama use -\n", e.Namespace)
		default:
			gone[e.UID] = true
		}
	}
	if len(gone) > 0 {
		f.remove(ctx, func(e kubeconfig.Entry) bool {
			return gone[e.UID] && !e.ExpiresAt.After(f.made.Now()) && e.Context != m.CurrentContext
		})
	}
}
