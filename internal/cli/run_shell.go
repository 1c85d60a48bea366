// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"tenama.dev/tenama/internal/cli/term"
)

// shell returns the user's shell.
func shell() string {
	name, other := "SHELL", "/bin/sh"
	if runtime.GOOS == "windows" {
		name, other = "COMSPEC", "cmd.exe"
	}
	if s := os.Getenv(name); s != "" {
		return s
	}
	return other
}

// Files in the directory of a run that start a shell with the namespace in its prompt.
const (
	runBashFile   = "bashrc"
	runZshFile    = ".zshrc"
	runZshEnvFile = ".zshenv"
)

// markPrompt returns the arguments and variables with which a shell, after it has read the
// user's own configuration, shows the namespace in its prompt. A shell that is not known, or
// that reads a script, starts as usual.
func (h *leaseHolder) markPrompt(args []string) (out, env []string, err error) {
	if len(h.command) > 0 || !term.CanChoose(h.In, h.Out) {
		return args, nil, nil
	}
	dir, mark := filepath.Dir(h.file), "("+h.tn.Name+") "
	write := func(name, text string) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
		}
	}
	switch strings.TrimSuffix(filepath.Base(args[0]), ".exe") {
	case "bash":
		write(runBashFile, "[ -r ~/.bashrc ] && . ~/.bashrc\nPS1='"+mark+"'\"$PS1\"\n")
		return append(args, "--rcfile", filepath.Join(dir, runBashFile)), nil, err
	case "zsh":
		own := "${TENAMA_ZDOTDIR:-$HOME}"
		write(runZshEnvFile, "[ -r \""+own+"/.zshenv\" ] && . \""+own+"/.zshenv\"\n")
		write(runZshFile, "ZDOTDIR=\""+own+"\"\n[ -r \"$ZDOTDIR/.zshrc\" ] && . \"$ZDOTDIR/.zshrc\"\n"+
			"PROMPT='"+mark+"'\"$PROMPT\"\n")
		return args, []string{"ZDOTDIR=" + dir, "TENAMA_ZDOTDIR=" + os.Getenv("ZDOTDIR")}, err
	case "fish":
		return append(args, "-C", "functions -q fish_prompt; and functions -c fish_prompt _tenama_prompt; "+
			"function fish_prompt; echo -n '"+mark+"'; functions -q _tenama_prompt; and _tenama_prompt; end"), nil, nil
	}
	return args, []string{"PS1=" + mark + cmp.Or(os.Getenv("PS1"), "$ ")}, nil
}
