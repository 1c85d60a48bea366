// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// errNoContext reports that the identity in use is not in the kubeconfig, so no context
// can refer to it.
var errNoContext = errors.New("no matching cluster and user in the kubeconfig")

// entry returns the kubeconfig entry for a temporary namespace. It reuses the cluster
// and user in use, so no credential is written. From the server it takes only name, UID
// and expiry.
func (f *factory) entry(tn *v1alpha1.TemporaryNamespace, name string) (kubeconfig.Entry, error) {
	e := kubeconfig.Entry{Context: name, Namespace: tn.Name, UID: string(tn.UID), Server: f.server()}
	if name == "" {
		e.Context = kubeconfig.ContextName(tn.Name)
	}
	e.ExpiresAt = latestExpiry(tn)
	if errs := v1alpha1.ValidateName(tn.Name, "", nil); len(errs) > 0 {
		return e, fmt.Errorf("the server returned the invalid name %q: %s", term.Clean(tn.Name), errs[0].Detail)
	}
	for _, name := range loginFlags {
		if !slices.Contains(entryFlags, name) && f.isGiven(name) {
			return e, fmt.Errorf("%w for --%s", errNoContext, name)
		}
	}
	raw, err := f.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return e, err
	}
	base := raw.CurrentContext
	if c := *f.flags.Context; c != "" {
		base = c
	}
	if c := raw.Contexts[base]; c != nil {
		e.Cluster, e.User = c.Cluster, c.AuthInfo
	}
	if c := *f.flags.ClusterName; c != "" {
		e.Cluster = c
	}
	if u := *f.flags.AuthInfoName; u != "" {
		e.User = u
	}
	if raw.Clusters[e.Cluster] == nil || raw.AuthInfos[e.User] == nil {
		return e, errNoContext
	}
	return e, nil
}

// latestExpiry returns the time after which tn is certainly gone; zero if it never expires.
func latestExpiry(tn *v1alpha1.TemporaryNamespace) time.Time {
	switch t := tn.Status.ExpirationTimestamp; {
	case v1alpha1.Leased(tn): // renewals move the expiry, but not the deadline
		return v1alpha1.DeadlineOf(tn)
	case t != nil:
		return t.Time
	}
	return time.Time{}
}

// addContext writes the context of tn to the kubeconfig and reports it, and whether there is
// one now.
func (f *factory) addContext(
	ctx context.Context, tn *v1alpha1.TemporaryNamespace, name string, makeCurrent bool,
) (added bool, err error) {
	e, err := f.entry(tn, name)
	if errors.Is(err, errNoContext) {
		f.noteNoContext(tn, err)
		return false, nil
	}
	f.skipPrune = true
	var r kubeconfig.Result
	if err == nil {
		r, err = f.files().Add(ctx, e, makeCurrent)
	}
	switch {
	case errors.Is(err, kubeconfig.ErrTaken):
		again := f.command("use %s --context-name OTHER", tn.Name)
		return false, &failure{fmt.Errorf("namespace %q is ready, but the kubeconfig was not changed: %w", tn.Name, err),
			exitKubeconfig, takenHint(err, "choose another name for the context: "+again)}
	case err != nil:
		err = fmt.Errorf("namespace %q is ready, but the kubeconfig was not changed: %w", tn.Name, err)
		return false, &failure{err, exitKubeconfig, "once that is fixed, run: " + f.command("use %s", tn.Name)}
	case r.File == "":
		return true, nil
	case r.Previous == e.Context:
		return true, nil // it was already current; only its expiry was updated
	case makeCurrent:
		f.before = r.Previous
		fmt.Fprintf(f.ErrOut, "Context %q added to %s and made current.\n", e.Context, describeFile(r.File))
	default:
		fmt.Fprintf(f.ErrOut, "Context %q added to %s.\n", e.Context, describeFile(r.File))
	}
	f.noteRewritten(r)
	return true, nil
}

// noteNoContext says why tn got no context, and how to use it without one.
func (f *factory) noteNoContext(tn *v1alpha1.TemporaryNamespace, reason error) {
	fmt.Fprintf(f.ErrOut, "No context was added: %s. Use: kubectl -n %s%s\n", term.Clean(reason.Error()), tn.Name,
		f.sameLogin())
}

// takenHint returns a hint for the error that the name of a context is taken: what the caller
// proposes and, if tenama created the context, how to remove it.
func takenHint(err error, proposal string) string {
	var t *kubeconfig.TakenError
	if errors.As(err, &t) && t.Namespace != "" {
		return fmt.Sprintf("%s; or remove that one: kubectl config delete-context %s", proposal, t.Context)
	}
	return proposal
}

// describeFile returns the file name, with a note if the file belongs to a kubie or kubectx
// shell: it is deleted with that shell.
func describeFile(file string) string {
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		if rest, ok := strings.CutPrefix(file, home+string(os.PathSeparator)); ok {
			file = "~" + string(os.PathSeparator) + rest
		}
	}
	for name, tool := range map[string]string{"KUBIE_ACTIVE": "kubie", "KUBECTX_ISOLATED_SHELL": "kubectx"} {
		if v := os.Getenv(name); v != "" && v != "0" {
			return fmt.Sprintf("%s (the kubeconfig of this %s shell)", file, tool)
		}
	}
	return file
}

// noteRewritten prints a note if rewriting the kubeconfig lost its comments.
func (f *factory) noteRewritten(r kubeconfig.Result) {
	if r.Rewritten {
		fmt.Fprintf(f.ErrOut, "Note: %s is not in block YAML, and was rewritten without its comments.\n", r.File)
	}
}

// entriesOf returns a predicate for entries of the given namespaces, which the server
// reports as not found. It reports other users' namespaces as not found too, so an
// entry matches only if its user is the one in use, and only namespaces may be given
// that the user asked to delete.
func (f *factory) entriesOf(names []string) func(kubeconfig.Entry) bool {
	server := f.server()
	return func(e kubeconfig.Entry) bool {
		return slices.Contains(names, e.Namespace) && e.Server == server && f.sameUser(e)
	}
}

// sameUser reports whether the command runs as the user of a context, so that a
// namespace not found for one is not found for the other.
func (f *factory) sameUser(e kubeconfig.Entry) bool {
	same, err := f.entry(&v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}, e.Context)
	return err == nil && same.Cluster == e.Cluster && same.User == e.User
}

func (f *factory) removeContexts(ctx context.Context, match func(kubeconfig.Entry) bool) {
	f.skipPrune = true
	removed, r, err := f.files().Remove(ctx, match)
	if err != nil {
		fmt.Fprintf(f.ErrOut, "Warning: the context of a deleted namespace was not removed from the kubeconfig: %s\n",
			term.Clean(err.Error()))
		return
	}
	for i, e := range removed {
		switch {
		case i < len(removed)-1:
			fmt.Fprintf(f.ErrOut, "Context %q removed.\n", e.Context)
		case r.Current == r.Previous && r.Current != "":
			fmt.Fprintf(f.ErrOut, "Context %q removed; current context is still %q.\n", e.Context, r.Current)
		case r.Current != "":
			fmt.Fprintf(f.ErrOut, "Context %q removed; current context is %q again.\n", e.Context, r.Current)
		default:
			fmt.Fprintf(f.ErrOut, "Context %q removed; no context is current%s.\n", e.Context, f.chooseContext())
		}
	}
	f.noteRewritten(r)
}

// chooseContext returns the command that makes a context current, to be appended to a sentence
// that says that none is; nothing if the kubeconfig has none.
func (f *factory) chooseContext() string {
	m, err := f.files().Load()
	if err != nil || len(m.Contexts) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(m.Contexts))
	if len(names) > 5 {
		names = append(names[:5], "...")
	}
	return fmt.Sprintf("; choose one (%s): kubectl config use-context NAME", strings.Join(names, ", "))
}
