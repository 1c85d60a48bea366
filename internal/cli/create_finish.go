// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

// finish writes the context or credential and prints the namespace. Its errors say that
// the namespace exists.
func (o *createOptions) finish(
	ctx context.Context, c *client.Client, created *v1alpha1.TemporaryNamespace, action string,
) (err error) {
	if o.credential.file != "" {
		o.skipPrune = true
		err := o.credential.write(ctx, c, created)
		var address *client.AddressError
		if errors.As(err, &address) && action == "created" { // no credential will ever work there
			return o.undo(ctx, c, created, err)
		}
		if err != nil {
			err = fmt.Errorf("namespace %q is ready, but its kubeconfig was not written: %s", created.Name, serverMessage(err))
			return &failure{err, exitKubeconfig,
				fmt.Sprintf("once that is fixed, run: kubectl tenama kubeconfig %s --file FILE", created.Name)}
		}
		if o.credential.file == "-" {
			return nil
		}
		return o.printObject(o.output, created, action)
	}
	var printErr error
	if !o.output.env() { // -o env also prints the context, added below
		printErr = o.printObject(o.output, created, action)
	}
	added := false
	if o.noContext != nil {
		o.noteNoContext(created, o.noContext)
	} else if added, err = o.addContext(ctx, created, o.contextName, o.switchContext); err != nil {
		return err
	}
	if o.output.env() {
		printErr = o.printObject(o.output, created, action)
	}
	if printErr != nil { // the namespace and its context exist anyway
		return fmt.Errorf("namespace %q is ready, but could not be printed: %w", created.Name, printErr)
	}
	o.advise(c, created, added)
	return nil
}

// undo deletes a namespace that was created in vain, and returns the reason.
func (o *createOptions) undo(
	ctx context.Context, c *client.Client, created *v1alpha1.TemporaryNamespace, reason error,
) error {
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(created.UID))}
	if _, err := c.Delete(ctx, created.Name, opts); err != nil && !client.IsGone(err) {
		fmt.Fprintf(o.ErrOut, "Warning: namespace %q was created, and could not be deleted: %s\n", created.Name,
			term.Clean(err.Error()))
	}
	return reason
}

// advise prints when the namespace expires, and commands for it.
func (o *createOptions) advise(c *client.Client, created *v1alpha1.TemporaryNamespace, added bool) {
	name, line := "", "It does not expire."
	if !added || !o.switchContext { // it is not the current one
		name = " " + created.Name
	}
	command := o.command
	if !added {
		command = o.commandAs
	}
	switch t := created.Status.ExpirationTimestamp; {
	case t != nil:
		line = "Expires " + term.RelativeTime(t.Time, c.Now())
		if created.Status.IdleTTLSeconds != nil {
			line += "; " + formatIdle(created)
		}
		line += ". Extend: " + command("extend%s", name)
	case created.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		line += " Delete: " + command("delete%s", name)
	default:
		return
	}
	switch {
	case !added:
	case !o.switchContext:
		line += "\nSwitch to it: " + command("use%s", name)
	case o.before != "":
		line += fmt.Sprintf("\nSwitch back to %q: %s", o.before, command("use -"))
	default:
		line += "\nSwitch back: " + command("use -")
	}
	fmt.Fprintln(o.ErrOut, line)
}

// checkKubeconfig finds out before anything is created whether the context can be written, as
// far as its name is known by then. If the user does not want to switch to it, it may be left out.
func (o *createOptions) checkKubeconfig(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) error {
	if o.dryRun || o.credential.file != "" {
		return nil
	}
	probe := tn.DeepCopy()
	if probe.Name = o.fullName(); o.name == "" {
		probe.Name = v1alpha1.DefaultPrefix + "x" // placeholder that passes validation
	}
	e, err := o.entry(probe, o.contextName)
	if err != nil { // no context will be written
		return nil
	}
	if o.name != "" || o.contextName != "" {
		err = o.files().Taken(e)
	}
	if errors.Is(err, kubeconfig.ErrTaken) && o.name != "" { // by the same namespace, under another URL of its cluster?
		if existing, err := c.Get(ctx, probe.Name); err == nil {
			e.UID = string(existing.UID)
		}
		err = o.files().Taken(e)
	}
	if errors.Is(err, kubeconfig.ErrTaken) {
		return withHint(err, takenHint(err, "choose another name for the context with --context-name"))
	}
	if err == nil {
		err = o.files().Check(ctx)
	}
	switch {
	case err == nil:
		return nil
	case !o.switchContext:
		o.noContext = err
		return nil
	}
	return withHint(fmt.Errorf("nothing was created, because its context could not be added: %w", err),
		"create it without a context: --switch-context=false; or write a kubeconfig of its own: --kubeconfig-output FILE")
}
