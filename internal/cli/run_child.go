// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/pkg/client/kubeconfig"
)

const (
	// renewEvery is how often the lease is renewed. Each renewal writes the Namespace, and
	// everything in the cluster that watches namespaces is told.
	renewEvery = 4 * time.Minute
	// checkEvery is how often the namespace is read, so that its user learns that it is gone.
	checkEvery = 30 * time.Second
	retryEvery = 5 * time.Second
	// requestTimeout bounds the requests of one check.
	requestTimeout = 10 * time.Second
	// finishRunTimeout bounds what is done after the command.
	finishRunTimeout = 15 * time.Second
	// childTokenLifetime is the lifetime of the token of a command. It is renewed at half of
	// that, so that a leaked token is soon worthless.
	childTokenLifetime = time.Hour
	// deadlineWarning is how long before the deadline of its namespace a running command is warned.
	deadlineWarning = 5 * time.Minute
)

// leaseHolder holds a namespace by its lease while a command runs.
type leaseHolder struct {
	*runOptions
	c           *client.Client
	tn          *v1alpha1.TemporaryNamespace
	file        string // kubeconfig of the child process
	token       string // file with its token
	expiry      string // file with the time at which the namespace expires
	gone        bool   // the namespace went while the command ran
	tokenExpiry time.Time
	done        chan struct{} // closed when the lease is no longer renewed; nil if it never was
	warned      map[string]bool
}

// prepare writes the files of the child process.
func (h *leaseHolder) prepare(ctx context.Context) error {
	if err := h.writeExpiry(); err != nil {
		return err
	}
	if h.asMe {
		return h.writeOwnIdentity()
	}
	if err := h.writeCredential(ctx); err != nil {
		return err
	}
	cluster, err := h.cluster()
	if err != nil {
		return err
	}
	return kubeconfig.Standalone{
		Context: kubeconfig.ContextName(h.tn.Name), Cluster: cluster, Namespace: h.tn.Name,
		User: &clientcmdapi.AuthInfo{TokenFile: h.token},
	}.Write(h.file)
}

// writeCredential writes a new token to the token file.
func (h *leaseHolder) writeCredential(ctx context.Context) error {
	h.credential.duration = childTokenLifetime
	cred, err := h.credential.request(ctx, h.c, h.tn)
	if err != nil {
		return err
	}
	if err := replaceFile(h.token, cred.Token); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	h.tokenExpiry = cred.ExpiresAt
	return nil
}

// writeExpiry writes the time at which the namespace expires (RFC 3339) for the child process,
// unless it has none. Extensions move it; renewals of the lease do not.
func (h *leaseHolder) writeExpiry() error {
	at := v1alpha1.DeadlineOf(h.tn)
	if at.IsZero() {
		return nil
	}
	text := at.UTC().Format(time.RFC3339) + "\n"
	if was, err := os.ReadFile(h.expiry); err == nil && string(was) == text {
		return nil
	}
	if err := replaceFile(h.expiry, text); err != nil {
		return fmt.Errorf("write the expiry: %w", err)
	}
	return nil
}

// replaceFile writes a file at once: the child process may be reading it.
func replaceFile(path, content string) error {
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// writeOwnIdentity writes a kubeconfig with the user's own identity and the namespace.
func (h *leaseHolder) writeOwnIdentity() error {
	e, err := h.entry(h.tn, "")
	if err != nil {
		return fmt.Errorf("--as-me requires an identity from the kubeconfig: %w", err)
	}
	raw, err := h.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return err
	}
	own := raw.DeepCopy()
	own.Contexts = map[string]*clientcmdapi.Context{
		e.Context: {Cluster: e.Cluster, AuthInfo: e.User, Namespace: h.tn.Name},
	}
	own.CurrentContext = e.Context
	if err := clientcmdapi.MinifyConfig(own); err != nil {
		return fmt.Errorf("copy your identity from the kubeconfig: %w", err)
	}
	return clientcmd.WriteToFile(*own, h.file) // mode 0600, in a directory of mode 0700
}

// runChild runs the command and returns its exit code, or 128+n after signal n.
func (h *leaseHolder) runChild(ctx context.Context, path string, args []string) (int, error) {
	runtime.LockOSThread() // on Linux the command is killed when the thread that started it ends
	defer runtime.UnlockOSThread()
	cmd := exec.Command(path)
	args, env, err := h.markPrompt(args)
	if err != nil {
		return 0, err
	}
	cmd.Args, cmd.Env = args, append(h.environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = h.In, h.Out, h.ErrOut
	shared := foreground()
	isolate(cmd, shared)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err = cmd.Start(); err != nil {
		return 0, &failure{fmt.Errorf("cannot run %q: %w", args[0], err), 126, ""}
	}
	leaveTerminal()
	leaseCtx, release := context.WithCancel(ctx)
	defer release()
	h.done = make(chan struct{})
	go func() { defer close(h.done); h.keepLease(leaseCtx) }()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	f := &forwarder{out: h.ErrOut, shared: shared, send: func(s os.Signal) { signalChild(cmd, s, shared) }}
	for {
		select {
		case s := <-signals:
			f.forward(s, time.Now())
		case err := <-exited:
			return exitCode(err)
		}
	}
}

// leaveTerminal keeps credential plugins from asking the user: the command reads the terminal
// now. client-go looks at os.Stdin before it runs one.
func leaveTerminal() {
	if null, err := os.Open(os.DevNull); err == nil {
		os.Stdin = null
	}
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// clusterVariables lists prefixes of variables that make tools use a cluster other than that
// of KUBECONFIG.
var clusterVariables = []string{
	"KUBECONFIG=", "HELM_KUBE", "HELM_NAMESPACE=", "KUBE_CONFIG_PATH", "KUBE_CTX", "KUBE_HOST=", "KUBE_TOKEN=",
	"KUBE_USER=", "KUBE_PASSWORD=",
	"KUBE_CLIENT_", "KUBE_CLUSTER_", "KUBERNETES_MASTER=", "KUBERNETES_SERVICE_", "TENAMA_",
}

// environ returns the environment of the child process.
func (h *leaseHolder) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(clusterVariables, func(p string) bool { return strings.HasPrefix(v, p) })
	})
	env = append(env, "KUBECONFIG="+h.file, runVariable+"="+h.tn.Name, "TENAMA_NAMESPACE="+h.tn.Name,
		"TENAMA_CONTEXT="+kubeconfig.ContextName(h.tn.Name), "TENAMA_SERVER="+h.server())
	if at := v1alpha1.DeadlineOf(h.tn); !at.IsZero() {
		env = append(env, "TENAMA_EXPIRES_AT="+at.UTC().Format(time.RFC3339), "TENAMA_EXPIRES_FILE="+h.expiry)
	}
	return env
}
