// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/pkg/client"
)

// loginFlags are the global flags that choose a cluster and an identity.
var loginFlags = []string{
	"kubeconfig", "context", "cluster", "user", "server", "certificate-authority", "tls-server-name", "proxy-url",
	"insecure-skip-tls-verify", "token", "token-file", "client-certificate", "client-key", "as", "as-group", "as-uid",
	"as-user-extra",
}

// entryFlags are those of loginFlags that name a kubeconfig or entries of it. A context cannot
// express the others.
var entryFlags = []string{"kubeconfig", "context", "cluster", "user"}

// isGiven reports whether one of loginFlags has a value that changes something.
func (f *factory) isGiven(name string) bool {
	return slices.ContainsFunc(f.login[name], func(v string) bool { return v != "" && v != "false" })
}

// readLogin records the flags that choose a cluster and an identity, to repeat them in advice.
func (f *factory) readLogin(cmd *cobra.Command) {
	f.login = map[string][]string{}
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		if !slices.Contains(loginFlags, fl.Name) {
			return
		}
		values := []string{fl.Value.String()}
		if list, ok := fl.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if fl.Name == "token" { // a secret
			values = []string{"TOKEN"}
		}
		f.login[fl.Name] = values
	})
}

// sameLogin returns the flags by which another command uses the same cluster and identity, each
// with a space before it.
func (f *factory) sameLogin() string { return f.repeat(loginFlags) }

func (f *factory) repeat(names []string) string {
	var b strings.Builder
	for _, name := range names {
		for _, v := range f.login[name] {
			if name == "insecure-skip-tls-verify" {
				fmt.Fprintf(&b, " --%s", name)
			} else {
				fmt.Fprintf(&b, " --%s %s", name, shellQuote(v))
			}
		}
	}
	return b.String()
}

// command returns a command of the plugin to advise, with the kubeconfig file that this
// command uses, but with the current context.
func (f *factory) command(format string, args ...any) string {
	return "kubectl tenama " + fmt.Sprintf(format, args...) + f.repeat([]string{"kubeconfig"})
}

// commandAs is command with the cluster and identity of this command.
func (f *factory) commandAs(format string, args ...any) string {
	return "kubectl tenama " + fmt.Sprintf(format, args...) + f.sameLogin()
}

// shellQuote quotes an argument for a shell if it needs it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// clientOf returns a client with the cluster and user of a context. It shows no warnings and
// never asks the user for a login.
func (f *factory) clientOf(context string) (*client.Client, error) {
	flags := genericclioptions.NewConfigFlags(false)
	*flags.KubeConfig, *flags.Context, *flags.Timeout = *f.flags.KubeConfig, context, *f.flags.Timeout
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.WarningHandler = rest.NoWarnings{}
	neverAsk(config)
	rejectPages(config)
	return client.New(config)
}

// neverAsk makes a credential plugin log in without asking the user.
func neverAsk(config *rest.Config) {
	if config.ExecProvider != nil {
		config.ExecProvider.InteractiveMode = clientcmdapi.NeverExecInteractiveMode
	}
}
