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

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

const (
	// finishTimeout bounds finishCommand, which runs after the work of a command.
	finishTimeout = 2 * time.Second
	// maxPruneChecks limits how many contexts a command checks for deleted namespaces.
	maxPruneChecks = 8
)

// warnings prints each server warning once. Expiry warnings are held back until the
// command is done, and dropped for namespaces that it acknowledged.
type warningHandler struct {
	mu           sync.Mutex
	out          io.Writer
	printed      map[string]bool
	expiring     map[string]string // warning text by namespace
	acknowledged map[string]bool
	currentOnly  bool // expiry warnings only for the current namespace
}

func newWarningHandler(out io.Writer) *warningHandler {
	return &warningHandler{
		out: out, printed: map[string]bool{}, expiring: map[string]string{}, acknowledged: map[string]bool{},
	}
}

// HandleWarningHeader implements rest.WarningHandler.
func (h *warningHandler) HandleWarningHeader(code int, agent, text string) {
	if code != 299 || text == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, ok := v1alpha1.ExpiringName(agent); ok {
		h.expiring[name] = text
		return
	}
	if !h.printed[text] {
		h.printed[text] = true
		fmt.Fprintf(h.out, "Warning: %s\n", term.Clean(text))
	}
}

// acknowledge records that the command told the user about the end of a namespace, or caused it.
func (h *warningHandler) acknowledge(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acknowledged[name] = true
}

// finishCommand runs after a command that used the cluster. It removes from the kubeconfig
// the contexts of namespaces that are certainly gone, and warns if the current one is
// about to expire, with the command that extends it. Both rely on the server; answers
// that take more than two seconds are skipped.
func (f *factory) finishCommand(ctx context.Context) {
	if f.firstClient == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	current := ""
	if m, err := f.files().Load(); err == nil {
		server := f.server()
		if e, ours := m.Current(); ours && e.Server == server && *f.flags.Context == "" {
			current = e.Namespace
			near := !e.ExpiresAt.IsZero() && e.ExpiresAt.Sub(f.firstClient.Now()) < v1alpha1.Soon &&
				e.ExpiresAt.After(f.firstClient.Now())
			if near && f.warnings.expiring[current] == "" && !f.warnings.acknowledged[current] {
				_, _ = f.firstClient.Get(ctx, current) // for its warning header
			}
		}
		if !f.skipPrune {
			f.pruneExpired(ctx, m, server)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.warnings.expiring)) {
		if !f.warnings.acknowledged[name] && (!f.warnings.currentOnly || name == current) {
			fmt.Fprintf(f.ErrOut, "Warning: %s\n", term.Clean(f.warnings.expiring[name]))
		}
	}
}

// pruneExpired removes contexts of namespaces that are certainly gone: the recorded expiry has
// passed by the server's clock, and the server answers NotFound to the context's own
// user. Other errors do not count. The current context stays, with a warning: a side
// effect must not change which cluster the next command uses.
func (f *factory) pruneExpired(ctx context.Context, m *kubeconfig.Merged, server string) {
	gone := map[string]bool{}
	checks := 0
	for _, e := range m.Entries() {
		if checks == maxPruneChecks || e.Server != server || e.ExpiresAt.IsZero() || e.ExpiresAt.After(f.firstClient.Now()) ||
			!f.sameUser(e) {
			continue
		}
		checks++
		tn, err := lookUpEntry(ctx, f.firstClient, e)
		switch {
		case err != nil:
		case tn != nil && !latestExpiry(tn).IsZero() && !latestExpiry(tn).After(f.firstClient.Now()): // overdue, or on hold
		case tn != nil && len(gone) == 0 && tn.DeletionTimestamp == nil && e.Selected == e.Namespace:
			// It exists: record its new expiry, before which it is not checked again.
			e.ExpiresAt = latestExpiry(tn)
			_, _ = f.files().Add(ctx, e, false)
			return // one write per command; later commands update the others
		case tn != nil:
		case e.Context == m.CurrentContext:
			fmt.Fprintf(f.ErrOut, "Warning: namespace %q of the current context is gone. Switch back: %s\n",
				e.Namespace, f.command("use -"))
		default:
			gone[e.UID] = true
		}
	}
	if len(gone) > 0 {
		f.removeContexts(ctx, func(e kubeconfig.Entry) bool {
			return gone[e.UID] && !e.ExpiresAt.After(f.firstClient.Now()) && e.Context != m.CurrentContext
		})
	}
}
