// SPDX-License-Identifier: Apache-2.0

// Package cli implements the kubectl plugin: kubectl tenama VERB.
//
// The rules of its output:
//
//   - stdout carries only the result, for other programs to read. Hints, progress,
//     times and warnings go to stderr.
//   - An error is one line, with at most one line of advice. With -o json or yaml it is
//     a Status, and nothing else is on stderr: notes and warnings are its causes.
//   - Exit codes: 0 done, or so already; 1 error; 3 done in the cluster, but the
//     kubeconfig was not changed; 4 not logged in or not allowed; 5 no room in a budget;
//     124 timed out; 130 interrupted; 141 stdout closed. `run` returns that of its
//     command; 126 and 127, as a shell's, if it cannot be executed or found; 1 if the
//     namespace was gone before a command that succeeded.
//   - Text written by other users is stripped of control characters before it is shown.
//   - A command that names its target never prompts. Prompts go to stderr and read
//     stdin.
//
// Package term has the rules of its appearance. Only this package imports cobra. It has
// no logger; -v shows client-go's HTTP trace.
package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // oidc; exec plugins are built in
)

// Run runs the plugin with args, the program name first, and returns its exit code.
func Run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	if isCompletionCall(args) { // shells print stderr into the command line being completed
		streams.ErrOut = io.Discard
	}
	f := newFactory(streams)
	root := newRootCommand(f, args[0])
	root.SetArgs(completionArgs(args))
	err := root.ExecuteContext(ctx)
	if err != nil {
		err = cmp.Or(unknownCommand(root, args[1:]), err)
		if cmd, _, _ := root.Find(args[1:]); cmd != nil && slices.Contains(formatsOf(cmd), "json") {
			f.setFormat(cmp.Or(f.format, formatOf(args[1:]))) // the arguments may be what is wrong
		}
	}
	code := f.reportError(ctx, err)
	if err == nil || f.held == nil { // stderr must hold only the Status
		f.finishCommand(ctx)
		f.releaseNotes()
	}
	return code
}

// aliases maps each command to the words that other tools use for it. They are
// suggested, not accepted.
var aliases = map[string][]string{
	"list": {"get", "ps", "show"}, "create": {"new", "borrow", "add"}, "delete": {"remove", "return", "destroy"},
	"extend": {"renew", "prolong"}, "use": {"switch", "ctx", "ns"}, "run": {"exec"}, "describe": {"info", "status"},
	"classes": {"tiers", "templates"}, "doctor": {"check"}, "kubeconfig": {"login", "token"},
	"refresh": {"update", "upgrade"}, "install": {"setup", "deploy"}, "prune": {"clean", "cleanup", "gc"},
}

// unknownCommand returns an error with a suggestion if args name an unknown command,
// and nil otherwise.
func unknownCommand(root *cobra.Command, args []string) error {
	cmd, rest, err := root.Find(args)
	if err == nil || cmd != root {
		return nil
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.AddFlagSet(root.PersistentFlags())
	flags.SetOutput(io.Discard)
	if flags.Parse(rest) != nil || flags.NArg() == 0 {
		return err
	}
	if likely := root.SuggestionsFor(flags.Arg(0)); len(likely) > 0 {
		return withHint(err, "did you mean "+strings.Join(likely, " or ")+"?")
	}
	return withHint(err, "see: kubectl tenama --help")
}

func newRootCommand(f *factory, program string) *cobra.Command {
	name := "kubectl tenama"
	if !strings.HasPrefix(filepath.Base(program), "kubectl-") {
		name = filepath.Base(program)
	}
	root := &cobra.Command{
		Use:   "tenama",
		Short: "Borrow namespaces that delete themselves",
		Long: `Borrow namespaces that delete themselves.

Create temporary namespaces on a shared cluster. Each one comes with a quota, limits,
network policies, access for you, and a context in your kubeconfig.`,
		Example: `  kubectl tenama create --ttl 2h
  kubectl tenama extend
  kubectl tenama list`,
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: name},
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},

		DisableSuggestions: true, // unknownCommand prints them as a hint
	}
	root.SuggestionsMinimumDistance = 2
	root.SetOut(f.Out)
	root.SetErr(f.ErrOut)
	root.SetIn(f.In)
	addGlobalFlags(f, root.PersistentFlags())
	root.AddGroup(
		&cobra.Group{ID: "life", Title: "Create and Delete Commands:"},
		&cobra.Group{ID: "work", Title: "Work with Namespaces:"},
		&cobra.Group{ID: "admin", Title: "Administer a Cluster:"},
		&cobra.Group{ID: "rest", Title: "Other Commands:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"life": {newCreateCommand(f), newRunCommand(f), newExtendCommand(f), newRefreshCommand(f), newDeleteCommand(f)},
		"work": {
			newListCommand(f), newUseCommand(f), newDescribeCommand(f), newKubeconfigCommand(f),
			newShareCommand(f), newUnshareCommand(f), newPruneCommand(f), newPromptCommand(f),
		},
		"admin": {newInstallCommand(f), newUninstallCommand(f), newHoldCommand(f), newUnholdCommand(f)},
		"rest": {
			newClassesCommand(f), newDoctorCommand(f), newCompletionCommand(f), newVersionCommand(f), newOptionsCommand(),
		},
	} {
		for _, c := range commands {
			c.GroupID, c.SuggestFor = group, aliases[c.Name()]
			if strings.Contains(c.Use, "NAME") || c.Name() == "run" {
				f.addNameFrom(c)
			}
		}
		root.AddCommand(commands...)
	}
	root.SetHelpCommandGroupID("rest")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withHint(err, "see: "+cmd.CommandPath()+" --help")
	})
	root.PersistentPreRunE = f.validateGlobalFlags
	fitHelp(root)
	completeFlag(root, "color", fixedCompletions("auto", "always", "never"))
	completeFlag(root, "namespace", f.completeTargets)
	completeFlag(root, "context", f.completeContexts)
	return root
}

// visibleFlags lists the global flags on every help page; as in kubectl, "options" shows all of them.
var visibleFlags = map[string]bool{
	"context": true, "kubeconfig": true, "as": true, "request-timeout": true, "namespace": true,
}

func addGlobalFlags(f *factory, fs *pflag.FlagSet) {
	f.flags.AddFlags(fs)
	fs.StringVar(&f.color, "color", "auto", "when to use colors: auto, always or never")
	fs.StringVar(&f.tokenFile, "token-file", "",
		"file that contains the bearer token; unlike --token, it is not visible in the process list")
	trace := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(trace)
	fs.AddGoFlag(trace.Lookup("v"))
	fs.Lookup("v").Usage = "number for the log level verbosity; 6 or higher shows API requests"
	fs.Lookup("namespace").Usage = "name of the temporary namespace, same as NAME"
	fs.VisitAll(func(fl *pflag.Flag) { fl.Hidden = !visibleFlags[fl.Name] })
}

func newOptionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "options",
		Short:   "Show the global flags",
		Long:    "Show the flags that are inherited by all commands.",
		Example: "  kubectl tenama options",
		Args:    cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = false })
			fmt.Fprint(cmd.OutOrStdout(), cmd.InheritedFlags().FlagUsages())
			return nil
		},
	}
	return cmd
}
