// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// completionTimeout is the timeout of a completion: the Tab key must not hang.
const completionTimeout = 2 * time.Second

// completeFlag registers the completion of a flag. It panics if the flag does not exist.
func completeFlag(cmd *cobra.Command, name string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, values); err != nil {
		panic(err)
	}
}

func fixedCompletions(values ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
}

var (
	completeDurations = fixedCompletions("30m	half an hour", "1h	an hour", "2h	two hours", "4h	half a working day",
		"8h	a working day", "1d	24 hours", "1w	a week")
	completeRoles = fixedCompletions("view	read", "edit	read and write", "admin	read, write and grant access")
)

// completionClient returns a client and context for completion, which print nothing and time out.
func (f *factory) completionClient(ctx context.Context) (context.Context, context.CancelFunc, *client.Client, error) {
	f.warnings.out = io.Discard
	config, err := f.config()
	if err != nil {
		return nil, nil, nil, err
	}
	neverAsk(config)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil { // silences credential plugins
		os.Stderr = null
	}
	c, err := client.New(config)
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	return ctx, cancel, c, nil
}

// awaitCompletion returns the result of request, or nil once ctx is done: credential plugins ignore
// deadlines.
func awaitCompletion[T any](ctx context.Context, request func() []T) []T {
	got := make(chan []T, 1)
	go func() { got <- request() }()
	select {
	case out := <-got:
		return out
	case <-ctx.Done():
		return nil
	}
}

// completeTargets offers the names of namespaces that are not among args.
func (f *factory) completeTargets(
	cmd *cobra.Command, args []string, toComplete string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return f.completeNames(cmd.Context(), args, toComplete), cobra.ShellCompDirectiveNoFileComp
}

// completeTarget is like completeTargets, for commands that take one NAME.
func (f *factory) completeTarget(
	cmd *cobra.Command, args []string, toComplete string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return f.completeTargets(cmd, args, toComplete)
}

// completedName returns the name as it is being typed, with or without prefix; ok is
// false if it does not begin with toComplete.
func completedName(name, toComplete string) (typed string, ok bool) {
	if !strings.HasPrefix(name, toComplete) {
		name = strings.TrimPrefix(name, v1alpha1.DefaultPrefix)
	}
	return name, strings.HasPrefix(name, toComplete)
}

// completeNames offers the names that start with toComplete, with or without the prefix, as typed.
func (f *factory) completeNames(ctx context.Context, exclude []string, toComplete string) []cobra.Completion {
	ctx, cancel, c, err := f.completionClient(ctx)
	if err != nil {
		return nil
	}
	defer cancel()
	items := awaitCompletion(ctx, func() []v1alpha1.TemporaryNamespace {
		list, err := c.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return nil
		}
		return list.Items
	})
	var out []cobra.Completion
	for i := range items {
		tn := &items[i]
		name, ok := completedName(tn.Name, toComplete)
		if !ok || slices.Contains(exclude, tn.Name) || slices.Contains(exclude, name) {
			continue
		}
		_, expires, _ := state(tn, c.Now())
		out = append(out, cobra.CompletionWithDesc(name,
			term.Clean(fmt.Sprintf("%s, expires %s", tn.Spec.ClassName, expires))))
	}
	return out
}

func (f *factory) completionClasses(ctx context.Context) []policyv1alpha1.NamespaceClass {
	ctx, cancel, c, err := f.completionClient(ctx)
	if err != nil {
		return nil
	}
	defer cancel()
	return awaitCompletion(ctx, func() []policyv1alpha1.NamespaceClass {
		list, err := c.Classes(ctx)
		if err != nil {
			return nil
		}
		return list.Items
	})
}

func (f *factory) completeClasses(
	cmd *cobra.Command, _ []string, _ string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, class := range f.completionClasses(cmd.Context()) {
		out = append(out, cobra.CompletionWithDesc(class.Name, term.Clean(class.Spec.Description)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeClass is like completeClasses, for the argument of a command that takes one class.
func (f *factory) completeClass(
	cmd *cobra.Command, args []string, toComplete string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return f.completeClasses(cmd, args, toComplete)
}

func (f *factory) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	raw, err := f.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), cobra.ShellCompDirectiveNoFileComp
}

// completeParameters offers the NAME=VALUE pairs of the class given by --class.
func (f *factory) completeParameters(
	cmd *cobra.Command, _ []string, _ string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	chosen, _ := cmd.Flags().GetString("class")
	var out []cobra.Completion
	for _, class := range f.completionClasses(cmd.Context()) {
		if class.Name != chosen && (chosen != "" || !isDefault(&class)) {
			continue
		}
		for _, p := range class.Spec.Parameters {
			for _, v := range p.Values {
				out = append(out, cobra.CompletionWithDesc(p.Name+"="+v, term.Clean(p.Description)))
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func completeSubjects(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"user:", "group:", "serviceaccount:"},
		cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
