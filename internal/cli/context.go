// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// errNoContext says that the identity in use is not one of the kubeconfig, so
// that no context can stand for it.
var errNoContext = errors.New("the kubeconfig has no cluster and user for it")

// entry is the context that a temporary namespace gets: it reuses the cluster
// and the user in use, so no credential is written anywhere. Of what the server
// said it takes name, UID and expiry, and nothing else.
func (f *factory) entry(tn *v1alpha1.TemporaryNamespace, name string) (kubeconfig.Entry, error) {
	e := kubeconfig.Entry{Context: name, Namespace: tn.Name, UID: string(tn.UID), Server: f.server()}
	if name == "" {
		e.Context = kubeconfig.ContextName(tn.Name)
	}
	if t := tn.Status.ExpirationTimestamp; t != nil {
		e.ExpiresAt = t.Time
	}
	if errs := v1alpha1.ValidateName(tn.Name, "", nil); len(errs) > 0 {
		return e, fmt.Errorf("the server answered with the name %q: %s", clean(tn.Name), errs[0].Detail)
	}
	for flag, v := range map[string]*string{
		"--as": f.flags.Impersonate, "--as-uid": f.flags.ImpersonateUID, "--token": f.flags.BearerToken, "--server": f.flags.APIServer,
		"--certificate-authority": f.flags.CAFile, "--client-certificate": f.flags.CertFile, "--client-key": f.flags.KeyFile,
	} {
		if v != nil && *v != "" {
			return e, fmt.Errorf("with %s: %w", flag, errNoContext)
		}
	}
	if g := f.flags.ImpersonateGroup; g != nil && len(*g) > 0 {
		return e, fmt.Errorf("with --as-group: %w", errNoContext)
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
	if e.Cluster == "" || e.User == "" {
		return e, errNoContext
	}
	return e, nil
}

// remember writes the context of tn, and says so.
func (f *factory) remember(ctx context.Context, tn *v1alpha1.TemporaryNamespace, name string, use bool) error {
	e, err := f.entry(tn, name)
	if errors.Is(err, errNoContext) {
		fmt.Fprintf(f.ErrOut, "No context was added: %v. Use: kubectl -n %s\n", err, tn.Name)
		return nil
	}
	var r kubeconfig.Result
	if err == nil {
		r, err = f.files().Add(ctx, e, use)
	}
	switch {
	case errors.Is(err, kubeconfig.ErrTaken):
		return &failure{fmt.Errorf("namespace %q is ready, but the kubeconfig was not changed: %w", tn.Name, err), exitKubeconfig,
			fmt.Sprintf("kubectl tenama use %s --context-name OTHER", tn.Name)}
	case err != nil:
		return &failure{fmt.Errorf("namespace %q is ready, but the kubeconfig was not changed: %w", tn.Name, err), exitKubeconfig,
			fmt.Sprintf("when that is mended: kubectl tenama use %s", tn.Name)}
	case r.File == "":
	case use && r.Previous != "" && r.Previous != e.Context:
		fmt.Fprintf(f.ErrOut, "Context %q added to %s and made current (was %q).\n", e.Context, r.File, r.Previous)
	case use:
		fmt.Fprintf(f.ErrOut, "Context %q added to %s and made current.\n", e.Context, r.File)
	default:
		fmt.Fprintf(f.ErrOut, "Context %q added to %s.\n", e.Context, r.File)
	}
	return nil
}

// forget removes the contexts of a temporary namespace of this cluster.
func (f *factory) forget(ctx context.Context, name, uid string) {
	server := f.server()
	removed, r, err := f.files().Remove(ctx, func(e kubeconfig.Entry) bool {
		return e.Namespace == name && e.Server == server && (uid == "" || e.UID == uid)
	})
	if err != nil {
		fmt.Fprintf(f.ErrOut, "Warning: the context of %q is still in the kubeconfig: %s\n", name, clean(err.Error()))
		return
	}
	for _, e := range removed {
		back := "no context is current now"
		if r.Current != "" {
			back = fmt.Sprintf("current context is %q again", r.Current)
		}
		if r.Current == r.Previous {
			back = fmt.Sprintf("current context is still %q", r.Current)
		}
		fmt.Fprintf(f.ErrOut, "Context %q removed; %s.\n", e.Context, back)
	}
}
