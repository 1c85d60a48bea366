// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// completerName is the executable that kubectl looks for on the PATH to complete the plugin
// (kubectl/pkg/cmd, plugin_completion.go).
const completerName = "kubectl_complete-tenama"

// completionArgs turns a call under the completer's name into a cobra completion request.
func completionArgs(args []string) []string {
	if isCompletionCall(args) {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}

func isCompletionCall(args []string) bool {
	return strings.TrimSuffix(filepath.Base(args[0]), ".exe") == completerName
}

func newCompletionCommand(f *factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion install|bash|zsh|fish|powershell",
		Short: "Set up shell completion",
		Long: `Set up shell completion for commands, names, classes, durations and parameters.

"install" creates the link "kubectl_complete-tenama" next to the plugin; kubectl calls it
to complete the plugin. It works in every shell in which the completion of kubectl itself
is set up (kubectl completion --help).

The other arguments print a completion script for calling the plugin directly, as
kubectl-tenama.`,
		Example: `  kubectl tenama completion install

  # Install into another directory on the PATH
  kubectl tenama completion install --dir ~/bin

  # Load the completion of kubectl-tenama into bash
  source <(kubectl tenama completion bash)`,
		ValidArgs: []string{"install", "bash", "zsh", "fish", "powershell"},
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 && args[0] == "install":
				return errors.New("install takes no argument: it works for every shell")
			case len(args) != 1:
				return errors.New("specify one of install, bash, zsh, fish, powershell")
			}
			return cobra.OnlyValidArgs(cmd, args)
		},
	}
	dir := cmd.Flags().String("dir", "", "directory for install (default: directory of the plugin)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		if args[0] != "install" {
			if *dir != "" {
				return errors.New("--dir requires install")
			}
			delete(root.Annotations, cobra.CommandDisplayNameAnnotation) // the script is for direct calls
			root.Use = "kubectl-tenama"
		}
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(f.Out, true)
		case "zsh":
			return root.GenZshCompletion(f.Out)
		case "fish":
			return root.GenFishCompletion(f.Out, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(f.Out)
		}
		return f.installCompleter(cmd.Context(), *dir)
	}
	return cmd
}

// installCompleter installs the completer next to the plugin. It is a relative link to
// the name on the PATH, which survives upgrades by krew: krew relinks that name.
// Windows gets a copy, since links need a privilege there.
func (f *factory) installCompleter(_ context.Context, dir string) error {
	plugin, err := exec.LookPath("kubectl-tenama")
	if err != nil {
		if plugin, err = os.Executable(); err != nil {
			return fmt.Errorf("find the plugin: %w", err)
		}
	}
	if plugin, err = filepath.Abs(plugin); err != nil {
		return err
	}
	target := filepath.Base(plugin)
	if dir == "" {
		dir = filepath.Dir(plugin)
	} else if dir, err = filepath.Abs(dir); err != nil {
		return err
	} else if dir != filepath.Dir(plugin) {
		target = plugin
	}
	name := filepath.Join(dir, completerName)
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if ok, err := isReplaceable(name); err != nil {
		return err
	} else if !ok {
		return withHint(fmt.Errorf("%s exists and was not installed by tenama", name),
			"remove it, or choose another directory on the PATH with --dir")
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace the completion: %w", err)
	}
	if runtime.GOOS == "windows" {
		err = copyFile(plugin, name)
	} else {
		err = os.Symlink(target, name)
	}
	if err != nil {
		return withHint(fmt.Errorf("install the completion: %w", err), "choose a writable directory on the PATH with --dir")
	}
	fmt.Fprintf(f.Out, "%s installed\n", name)
	if found, err := exec.LookPath(completerName); err != nil || filepath.Dir(found) != dir {
		fmt.Fprintf(f.ErrOut, "Warning: kubectl finds the completion only if %s is on the PATH.\n", dir)
	}
	return nil
}

// isReplaceable reports whether name may be overwritten: it does not exist, or is a completer.
func isReplaceable(name string) (bool, error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(name)
		return strings.HasPrefix(filepath.Base(to), "kubectl-tenama"), err
	}
	return runtime.GOOS == "windows" && info.Mode().IsRegular(), nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}
