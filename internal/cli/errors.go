// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"unicode"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/yaml"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// Exit codes; see the package comment.
const (
	exitError       = 1
	exitKubeconfig  = 3
	exitDenied      = 4
	exitBudget      = 5
	exitTimeout     = 124
	exitBrokenPipe  = 128 + 13 // as if SIGPIPE had killed it
	exitInterrupted = 130
)

// failure is an error with its exit code and advice.
type failure struct {
	err  error
	code int
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// exitStatus is an exit code without a message: the output, or the command of run, has
// already reported the failure.
type exitStatus struct{ code int }

func (e *exitStatus) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// withHint adds a hint to err.
func withHint(err error, hint string) error {
	return &failure{err: err, code: exitError, hint: hint}
}

// reportError prints err, unless nil, and returns the exit code.
func (f *factory) reportError(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	var exit *exitStatus
	if errors.As(err, &exit) { // already reported
		return exit.code
	}
	if isClosedPipe(err) {
		return exitBrokenPipe
	}
	line, hint, code := explain(err)
	if name := f.unusableName(ctx, err); name != "" {
		line = fmt.Sprintf("error: kube-apiserver cannot pass your user name %q on to the broker: it has control characters",
			name)
		hint = "log in with another name"
	}
	if apierrors.IsUnauthorized(err) {
		if why, remedy := f.rejectedLogin(); why != "" {
			line, hint = why, remedy
		}
	}
	if hint == confinedHint {
		hint += ", not " + strings.Join(f.paths(), ", ")
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		line, code = "error: interrupted", exitInterrupted
	}
	var own *failure
	if errors.As(err, &own) {
		if own.hint != "" {
			hint = own.hint
		}
		if own.code != exitError {
			code = own.code
		}
	}
	switch {
	case f.format == "json", f.format == "yaml":
		f.reportStatus(err, line, hint)
	default:
		r := f.renderer(f.ErrOut)
		word, rest, _ := strings.Cut(term.Clean(line), ":")
		fmt.Fprintln(f.ErrOut, r.Render(word+":", term.Bad)+rest)
		if hint != "" && os.Getenv("TENAMA_NO_HINTS") == "" {
			fmt.Fprintln(f.ErrOut, "hint: "+term.Clean(hint))
		}
	}
	return code
}

// isClosedPipe reports whether stdout is a pipe whose reader has enough, as of "| head"; other
// programs are killed by SIGPIPE then. A connection that breaks is the same error of the system,
// but not of a file.
func isClosedPipe(err error) bool {
	var file *fs.PathError
	return errors.As(err, &file) && errors.Is(file.Err, syscall.EPIPE)
}

// confinedHint is the hint for a credential that is valid in one namespace.
const confinedHint = "this credential is valid for its namespace only: to create, extend or list, " +
	"use your own kubeconfig"

// unusableName returns the user's name if it is why the broker seems not to respond: a name with
// control characters is no valid HTTP header, by which kube-apiserver tells it to the broker.
func (f *factory) unusableName(ctx context.Context, err error) string {
	if f.firstClient == nil || !apierrors.IsServiceUnavailable(err) || isOfBroker(err) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	name, err := f.firstClient.User(ctx)
	if err != nil || strings.IndexFunc(name, unicode.IsControl) < 0 {
		return ""
	}
	return name
}

// reportStatus prints an error for programs: the Status of the server, or an equivalent
// one, with the hint among its causes.
func (f *factory) reportStatus(err error, line, hint string) {
	out := metav1.Status{
		Status:  metav1.StatusFailure,
		Message: strings.TrimPrefix(term.Clean(line), "error: "),
		Details: &metav1.StatusDetails{},
	}
	var api apierrors.APIStatus
	if errors.As(err, &api) {
		s := api.Status()
		out.Reason, out.Code = s.Reason, s.Code
		if s.Message != "" && !client.IsNotServed(err) && !apierrors.IsUnauthorized(err) {
			out.Message = s.Message
		}
		if s.Details != nil {
			out.Details = s.Details.DeepCopy()
		}
	}
	if hint != "" {
		out.Details.Causes = append(out.Details.Causes, metav1.StatusCause{Type: "Hint", Message: term.Clean(hint)})
	}
	w := f.ErrOut
	if f.held != nil {
		w = f.stderr
		for line := range strings.Lines(f.held.String()) {
			out.Details.Causes = append(out.Details.Causes, metav1.StatusCause{Type: "Note", Message: term.Clean(line)})
		}
		f.held.Reset()
	}
	out.APIVersion, out.Kind = "v1", "Status"
	b, jerr := json.MarshalIndent(out, "", "    ")
	if f.format == "yaml" {
		if b, jerr = yaml.Marshal(out); jerr == nil {
			b = bytes.TrimSpace(b)
		}
	}
	if jerr == nil {
		fmt.Fprintln(w, string(b))
	}
}

// isOfBroker reports whether the broker itself answered. kube-apiserver's answer for it is no
// Status, which client-go records as a cause.
func isOfBroker(err error) bool {
	return !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// confinedUser matches requests denied to a ServiceAccount that kubectl tenama created.
var confinedUser = regexp.MustCompile(`User "system:serviceaccount:[^":]+:tenama-`)

// explain turns err into a message, a hint and an exit code for the user.
func explain(err error) (line, hint string, code int) {
	var network *url.Error
	var dial *net.OpError
	switch {
	case client.IsNotServed(err):
		return "error: tenama is not installed on this cluster, or its broker is stopped",
			"ask an administrator to install or start it: kubectl tenama install", exitError
	case apierrors.IsServiceUnavailable(err) && !isOfBroker(err):
		return "error: the tenama broker of this cluster does not respond",
			"ask an administrator to check: kubectl get apiservice v1alpha1.tenama.dev", exitError
	case apierrors.IsServiceUnavailable(err): // starting, not contained, without its rights: it says which
		return "error: " + serverMessage(err), "if this lasts, ask an administrator to run: kubectl tenama doctor", exitError
	case apierrors.IsUnauthorized(err):
		return "error: you must be logged in to the server (Unauthorized)",
			"your login has expired or is unknown to the cluster: log in again, as for kubectl", exitDenied
	case errors.As(err, &network) && strings.Contains(network.Err.Error(), "getting credentials"):
		return fmt.Sprintf("error: cannot log in to the cluster at %s: %v", host(network.URL), network.Err), "", exitDenied
	case errors.As(err, &network) && (errors.As(err, &dial) ||
		!errors.Is(err, context.DeadlineExceeded) && !network.Timeout()):
		line, hint = explainNetwork(network)
		return line, hint, exitError
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network):
		return "error: timed out", "", exitTimeout
	}
	var shared *sharedError
	if errors.As(err, &shared) {
		return "error: " + err.Error(), "", exitDenied
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "error: " + err.Error(), "", exitError
	}
	s := status.Status()
	if budget, wait := client.IsOverBudget(err); wait {
		hint := "wait for capacity: kubectl tenama create --wait-for-capacity 30m"
		if own := client.OwnNamespaces(err); len(own) > 0 {
			hint = fmt.Sprintf("delete a namespace, for example: kubectl tenama delete %s; or %s", own[0], hint)
		}
		return "error: " + s.Message, hint, exitBudget
	} else if budget != "" {
		return "error: " + s.Message, "", exitBudget
	}
	if position, _ := client.IsQueued(err); position != "" {
		return "error: timed out waiting: " + position, "", exitTimeout
	}
	line = fmt.Sprintf("Error from server (%s): %s", s.Reason, message(s))
	switch s.Reason {
	case metav1.StatusReasonForbidden:
		code = exitDenied
		if ns := os.Getenv(runVariable); ns != "" {
			hint = fmt.Sprintf("this command runs inside kubectl tenama run, with a credential for namespace %q only", ns)
		} else if confinedUser.MatchString(s.Message) {
			hint = confinedHint
		} else if apierrors.HasStatusCause(err, v1alpha1.CauseClassNotAllowed) {
			hint = "list the classes that you are allowed to use: kubectl tenama classes"
		} else if s.Details != nil && s.Details.Group == "tenama.dev" && strings.Contains(s.Message, "cannot ") &&
			strings.Contains(s.Message, "User ") && !strings.Contains(s.Message, "impersonate") {
			hint = "ask an administrator to run: kubectl create clusterrolebinding NAME --clusterrole=tenama:user --user=YOU"
		}
	default:
		code = exitError
		if apierrors.HasStatusCause(err, v1alpha1.CauseOnHold) {
			hint = "an administrator can end the hold: kubectl tenama unhold NAME"
			if s.Details != nil && s.Details.Name != "" {
				hint = strings.Replace(hint, "NAME", s.Details.Name, 1)
			}
		}
	}
	return line, hint, code
}

// message returns the message of a Status on one line; for an invalid object only the
// causes, without the preamble.
func message(s metav1.Status) string {
	if s.Reason == metav1.StatusReasonInvalid && s.Details != nil && len(s.Details.Causes) > 0 {
		var parts []string
		for _, c := range s.Details.Causes {
			if c.Type != v1alpha1.CauseNamePrefix { // a cause for programs
				parts = append(parts, c.Field+": "+c.Message)
			}
		}
		return strings.Join(parts, "; ")
	}
	return s.Message
}

// serverMessage returns the server's own message, without the context of wrapping errors.
func serverMessage(err error) string {
	var api apierrors.APIStatus
	if errors.As(err, &api) {
		return message(api.Status())
	}
	return err.Error()
}

func host(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Host
	}
	return raw
}
