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
	// farewellTime bounds farewell, which runs after the work of a command.
	farewellTime = 2 * time.Second
	// mostAsked limits how many contexts a command checks for deleted namespaces.
	mostAsked = 8
)

// heard prints each server warning once. Expiry warnings are held back until the
// command is done, and dropped for namespaces that it dealt with.
type heard struct {
	mu     sync.Mutex
	out    io.Writer
	said   map[string]bool
	ending map[string]string // warning text by namespace
	dealt  map[string]bool
	only   bool // expiry warnings only for the current namespace
}

func newHeard(out io.Writer) *heard {
	return &heard{out: out, said: map[string]bool{}, ending: map[string]string{}, dealt: map[string]bool{}}
}

// HandleWarningHeader implements rest.WarningHandler.
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

// deal records that the command told the user about the end of a namespace, or caused it.
func (h *heard) deal(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dealt[name] = true
}

// farewell runs after a command that used the cluster. It removes from the kubeconfig
// the contexts of namespaces that are certainly gone, and warns if the current one is
// about to expire, with the command that extends it. Both rely on the server; answers
// that take more than two seconds are skipped.
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
				_, _ = f.made.Get(ctx, current) // for its warning header
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

// prune removes contexts of namespaces that are certainly gone: the recorded expiry has
// passed by the server's clock, and the server answers NotFound to the context's own
// user. Other errors do not count. The current context stays, with a warning: a side
// effect must not change which cluster the next command uses.
func (f *factory) prune(ctx context.Context, m *kubeconfig.Merged, server string) {
	gone := map[string]bool{}
	asked := 0
	for _, e := range m.Entries() {
		if asked == mostAsked || e.Server != server || e.ExpiresAt.IsZero() || e.ExpiresAt.After(f.made.Now()) || !f.sameUser(e) {
			continue
		}
		asked++
		tn, err := f.made.Get(ctx, e.Namespace)
		if client.IsGone(err) { // it may be a shared one, extended since
			tn, err = f.made.Shared(ctx, e.Namespace)
		}
		switch {
		case err == nil && len(gone) == 0 && tn.DeletionTimestamp == nil:
			// It exists: record its new expiry, before which it is not checked again.
			e.UID, e.ExpiresAt = string(tn.UID), lastsUntil(tn)
			_, _ = f.files().Add(ctx, e, false)
			return // one write per command; later commands update the others
		case err == nil, !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) && !client.IsGone(err):
		case e.Context == m.CurrentContext:
			fmt.Fprintf(f.ErrOut, "Warning: namespace %q of the current context is gone. Switch back: kubectl tenama use -\n", e.Namespace)
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
