// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/internal/version"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// factory creates the client, the kubeconfig files and the renderers of all commands, on
// demand.
type factory struct {
	genericiooptions.IOStreams
	flags     *genericclioptions.ConfigFlags
	color     string // auto, always or never
	tokenFile string
	nameFrom  string // text from which NAME is made
	verb      string // the running command

	format      string          // value of -o of the running command
	held        *bytes.Buffer   // notes that are held back, with -o json and yaml
	stderr      io.Writer       // stderr itself, if notes are held back
	firstClient *client.Client  // the first client created
	warnings    *warningHandler // server warnings
	skipPrune   bool            // the command handles stale kubeconfig entries: do not prune

	before string // the context that was current before this command

	login map[string][]string // flags that choose a cluster and an identity, by name

	prefixesMu    sync.Mutex
	knownPrefixes prefixes
}

func newFactory(streams genericiooptions.IOStreams) *factory {
	return &factory{
		IOStreams: streams,
		flags:     genericclioptions.NewConfigFlags(true),
		color:     "auto",
		warnings:  newWarningHandler(streams.ErrOut),
	}
}

// validateGlobalFlags rejects invalid global flags before a command runs.
func (f *factory) validateGlobalFlags(cmd *cobra.Command, args []string) error {
	if slices.Contains(formatsOf(cmd), "json") {
		f.setFormat(cmd.Flags().Lookup("output").Value.String())
	}
	f.verb = cmd.Name()
	f.readLogin(cmd)
	if err := rejectEmpty(cmd, args); err != nil {
		return err
	}
	if f.color != "auto" && f.color != "always" && f.color != "never" {
		return fmt.Errorf("--color %q: use auto, always or never", f.color)
	}
	if f.tokenFile == "" {
		return nil
	}
	if *f.flags.BearerToken != "" {
		return errors.New("--token and --token-file cannot be used together")
	}
	if b, err := os.ReadFile(f.tokenFile); err != nil {
		return fmt.Errorf("--token-file: %w", err)
	} else if len(bytes.TrimSpace(b)) == 0 {
		return fmt.Errorf("--token-file %q is empty", f.tokenFile)
	}
	return nil
}

// setFormat sets the format of errors. With json and yaml, stderr holds nothing but the Status
// of an error: notes and warnings are held back, and become causes of that Status, or are
// printed at the end.
func (f *factory) setFormat(format string) {
	f.format = format
	if f.held == nil && (format == "json" || format == "yaml") {
		f.held, f.stderr = &bytes.Buffer{}, f.ErrOut
		f.ErrOut, f.warnings.out = f.held, f.held
	}
}

// releaseNotes prints the notes that were held back.
func (f *factory) releaseNotes() {
	if f.held != nil {
		_, _ = f.held.WriteTo(f.stderr)
		f.ErrOut, f.warnings.out = f.stderr, f.stderr
	}
}

// formatOf returns the value of -o in arguments that could not be parsed.
func formatOf(args []string) string {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if v, ok := strings.CutPrefix(arg, "--output="); ok {
			return v
		}
		if v, ok := strings.CutPrefix(arg, "-o"); ok && v != "" {
			return strings.TrimPrefix(v, "=")
		}
		if (arg == "-o" || arg == "--output") && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// mayBeEmpty are the flags whose empty value says something, or is the default.
var mayBeEmpty = map[string]bool{"reason": true, "output": true}

// rejectEmpty rejects empty arguments and flags: they come from variables that are not set,
// and what is not given means something else, such as the namespace of the current context.
func rejectEmpty(cmd *cobra.Command, args []string) error {
	if n := cmd.ArgsLenAtDash(); n >= 0 { // what follows is the command of `run`
		args = args[:n]
	}
	completing := cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd
	if slices.Contains(args, "") && !completing {
		return errors.New("NAME is empty")
	}
	var err error
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		empty := fl.Value.Type() == "string" && fl.Value.String() == ""
		if list, ok := fl.Value.(pflag.SliceValue); ok && slices.Contains(list.GetSlice(), "") {
			empty = true
		}
		if empty && !mayBeEmpty[fl.Name] && err == nil {
			err = fmt.Errorf("--%s is empty", fl.Name)
		}
	})
	return err
}

// client returns a client for the cluster of the context in use.
func (f *factory) client() (*client.Client, error) {
	config, err := f.config()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config)
	if f.firstClient == nil {
		f.firstClient = c
	}
	return c, err
}

// config returns the REST config for the cluster of the context in use.
func (f *factory) config() (*rest.Config, error) {
	loader := f.flags.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config, err := loader.ClientConfig()
	context := cmp.Or(*f.flags.Context, raw.CurrentContext)
	unset := clientcmd.IsEmptyConfig(err) || err == nil && *f.flags.APIServer == "" &&
		strings.Contains(config.Host, "localhost:8080") // client-go's default
	switch {
	case unset && len(raw.Contexts) > 0 && context == "":
		return nil, fmt.Errorf("no context is current in %s%s", strings.Join(f.paths(), ", "), f.chooseContext())
	case unset && len(raw.Clusters) == 0:
		return nil, fmt.Errorf("no cluster is configured in %s: set KUBECONFIG or use --kubeconfig",
			strings.Join(f.paths(), ", "))
	case err != nil && context != "" && raw.Contexts[context] == nil:
		return nil, fmt.Errorf("context %q does not exist in %s%s", context, strings.Join(f.paths(), ", "), f.chooseContext())
	case err != nil:
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if f.tokenFile != "" { // replaces all other credentials
		own := rest.AnonymousClientConfig(config)
		own.BearerTokenFile, own.Impersonate = f.tokenFile, config.Impersonate
		config = own
	}
	// The audit log of kube-apiserver has it. There is no verb while a shell completes one.
	config.UserAgent = strings.TrimSpace(fmt.Sprintf("kubectl-tenama/%s (%s/%s) %s", version.Get().Version, runtime.GOOS,
		runtime.GOARCH, f.verb))
	config.WarningHandler = f.warnings
	rejectPages(config)
	return config, nil
}

// renderer returns the renderer for w.
func (f *factory) renderer(w io.Writer) term.Renderer { return term.NewRenderer(w, f.color) }

// progress reports a slow operation on stderr until done is called.
func (f *factory) progress(action string) (done func()) {
	return f.renderer(f.ErrOut).Progress(f.ErrOut, action)
}

func (f *factory) paths() []string {
	if *f.flags.KubeConfig != "" {
		return []string{*f.flags.KubeConfig}
	}
	return clientcmd.NewDefaultClientConfigLoadingRules().GetLoadingPrecedence()
}

// server returns the URL of the API server in use.
func (f *factory) server() string {
	config, err := f.flags.ToRESTConfig()
	if err != nil {
		return ""
	}
	return config.Host
}

// files returns the kubeconfig files in use.
func (f *factory) files() *kubeconfig.Files { return kubeconfig.Find(*f.flags.KubeConfig) }

// maxOneName rejects more than one argument.
func maxOneName(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("expected one NAME, got %q and %q", args[0], args[1])
	}
	return nil
}

// targetName returns the namespace named by the argument or by -n, and rejects a conflict.
func (f *factory) targetName(args []string) (string, error) {
	name := ""
	if len(args) > 0 {
		name = typedName(args[0])
	}
	if f.nameFrom != "" {
		if name != "" || *f.flags.Namespace != "" {
			return "", errors.New("NAME and --name-from cannot be used together")
		}
		return slug(f.nameFrom), nil
	}
	if n := *f.flags.Namespace; n != "" {
		if name != "" && name != n {
			return "", fmt.Errorf("NAME %q and --namespace %q differ: use only one of them", name, n)
		}
		name = n
	}
	if len(args) > 0 && args[0] == "" {
		return "", errors.New("NAME is empty")
	}
	return name, nil
}
