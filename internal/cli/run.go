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

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// leaseDuration is how long a namespace outlives a plugin that was killed.
const leaseDuration = 3 * renewEvery

// runVariable is the environment variable that names the namespace for the child process.
const runVariable = "TENAMA_RUN"

// runOptions holds the flags of one invocation of kubectl tenama run.
type runOptions struct {
	*createRequest
	credential    credentialOptions
	asMe          bool
	keep          bool
	keepOnFailure bool
	command       []string
}

func newRunCommand(f *factory) *cobra.Command {
	o := &runOptions{createRequest: &createRequest{factory: f}, credential: credentialOptions{factory: f}}
	cmd := &cobra.Command{
		Use:   "run [flags] [-- COMMAND [ARGUMENT...]]",
		Short: "Run a command with a temporary namespace",
		Long: `Run a command with a temporary namespace that is deleted when the command ends. Without
COMMAND, your shell is run.

KUBECONFIG is set to a file with a credential for this namespace only: with it, the
command can neither use other namespaces, nor list or extend them, and your own kubeconfig
is not changed. This does not restrict a command that reads credentials from your other
files. TENAMA_NAMESPACE, TENAMA_CONTEXT, TENAMA_SERVER and TENAMA_EXPIRES_AT are set, and
TENAMA_EXPIRES_FILE names a file with the expiry, which follows extensions.

Signals are forwarded to the command, and its exit code is returned; it is 1 if the
command succeeds, but the namespace was gone before. While the command runs, a lease of
12 minutes is renewed, until --ttl or, without it, until the maximum lifetime of the
class. Renewals do not count as extensions. If the plugin is killed, or suspended for 12
minutes (Ctrl-Z, a closed laptop), the lease ends and the namespace expires.`,
		Example: `  # Run tests in a new namespace
  kubectl tenama run -- make e2e

  # Start a shell
  kubectl tenama run

  # Give an agent access to a new namespace only, for at most an hour
  kubectl tenama run --ttl 1h --role edit -- my-agent

  # Keep the namespace if the command fails
  kubectl tenama run --keep-on-failure --class large -- ./test.sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return fmt.Errorf("the command must follow --: kubectl tenama run -- %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.command = args
			if o.name, err = f.targetName(nil); err != nil {
				return err
			}
			if o.keep && o.keepOnFailure {
				return errors.New("--keep and --keep-on-failure cannot be used together")
			}
			if o.asMe && cmd.Flags().Changed("role") {
				return errors.New("--as-me and --role cannot be used together: with --as-me, the command has your own permissions")
			}
			if err := o.readEnvironment(false); err != nil {
				return err
			}
			if err := o.createRequest.validate(); err != nil {
				return err
			}
			if err := o.credential.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.SetInterspersed(false) // flags after COMMAND belong to it
	o.createRequest.addFlags(cmd)
	fs.Lookup("ttl").Usage = "maximum lifetime of the namespace, such as 90m or 2h (default: the maximum of the class)"
	o.credential.addRole(cmd)
	fs.BoolVar(&o.asMe, "as-me", false,
		"run the command with your own identity instead of a credential for the namespace only")
	fs.BoolVar(&o.keep, "keep", false, "keep the namespace when the command ends; "+
		"it expires after --ttl, or else after the default lifetime of the class (24h if it has none)")
	fs.BoolVar(&o.keepOnFailure, "keep-on-failure", false, "like --keep, if the command fails")
	return cmd
}

func (o *runOptions) run(ctx context.Context) error {
	if ns := os.Getenv(runVariable); ns != "" {
		return withHint(fmt.Errorf("already inside kubectl tenama run, in namespace %q: runs cannot be nested", ns),
			"exit it first")
	}
	path, err := o.executable()
	if err != nil {
		return err
	}
	if o.asMe {
		probe := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultPrefix + "x"}}
		if _, err := o.entry(probe, ""); err != nil {
			return fmt.Errorf("--as-me requires an identity from the kubeconfig: %w", err)
		}
	}
	removeAbandonedRunDirs()
	dir, release, err := createRunDir()
	if err != nil {
		return fmt.Errorf("create a directory for the kubeconfig: %w", err)
	}
	defer release()
	c, err := o.client()
	if err != nil {
		return err
	}
	o.skipPrune = true
	o.lease = leaseDuration
	tn, err := o.create(ctx, c, o.object())
	if err != nil {
		return o.addHints(ctx, err)
	}
	o.warnings.acknowledge(tn.Name)
	h := &leaseHolder{
		runOptions: o, c: c, tn: tn,
		file: filepath.Join(dir, runConfigFile), token: filepath.Join(dir, runTokenFile),
		expiry: filepath.Join(dir, runExpiryFile),
	}
	if err = h.prepare(ctx); err == nil {
		err = ctx.Err()
	}
	code := 0
	if err == nil {
		then := "deleted when the command ends"
		if o.keep {
			then = "kept when the command ends"
		} else if o.keepOnFailure {
			then = "deleted when the command succeeds, and kept if it fails"
		}
		fmt.Fprintf(o.ErrOut, "namespace/%s created; it is %s.\n", tn.Name, then)
		// From here on signals go to the child process, and the plugin ends when it does.
		code, err = h.runChild(context.WithoutCancel(ctx), path, o.arguments())
	}
	keep := err == nil && (o.keep || o.keepOnFailure && code != 0)
	lost := h.finishRun(context.WithoutCancel(ctx), keep)
	switch {
	case err != nil:
	case code != 0:
		err = &exitStatus{code}
	case lost:
		err = fmt.Errorf("namespace %q was gone before the command ended", tn.Name)
	}
	return err
}

// arguments returns the command to run, its name first.
func (o *runOptions) arguments() []string {
	if len(o.command) > 0 {
		return o.command
	}
	return []string{shell()}
}

// executable looks up the command before a namespace is created for it. Exit codes are those
// of a shell: 127 if it is not found, 126 if it cannot be executed.
func (o *runOptions) executable() (string, error) {
	name := o.arguments()[0]
	path, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", &failure{fmt.Errorf("cannot run %q: command not found", name), 127, ""}
	case errors.Is(err, exec.ErrDot):
		return "", &failure{fmt.Errorf("cannot run %q: it is in the working directory", name), 127, "use ./" + name}
	case err != nil:
		return "", &failure{fmt.Errorf("cannot run %q: not executable", name), 126, ""}
	}
	return path, nil
}
