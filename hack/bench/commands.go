// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/test/testenv"
)

// command is one way to perform an operation, as one or several processes.
type command struct {
	name       string
	kubeconfig string
	program    string
	args       func(i int) [][]string // of each process
}

// once returns the arguments of a single process that are the same each time.
func once(args ...string) func(int) [][]string {
	return func(int) [][]string { return [][]string{args} }
}

// commands measures whole commands, the start of the processes included, beside the kubectl
// commands for the same purpose.
func commands(ctx context.Context, r *run) error {
	c, b, stop, err := stage(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	home, err := os.MkdirTemp("", "tenama-bench-home-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	if err := lendTo(ctx, c, "alice"); err != nil {
		return err
	}
	class, err := defaultClass()
	if err != nil {
		return err
	}
	objects, err := objectsOf(class, home)
	if err != nil {
		return err
	}
	admin, alice := c.Kubeconfig("admin"), c.Kubeconfig("alice")
	if err := compare(ctx, r, home, "commands-create", "Creating a namespace by a command", []command{
		{"kubectl create namespace, kubectl apply", admin, "tools/kubectl", func(i int) [][]string {
			name := fmt.Sprintf("bare-%d", i)
			return [][]string{{"create", "namespace", name}, {"apply", "-n", name, "-f", objects}}
		}},
		{"kubectl create namespace", admin, "tools/kubectl", func(i int) [][]string {
			return [][]string{{"create", "namespace", fmt.Sprintf("empty-%d", i)}}
		}},
		{"kubectl tenama create", alice, "kubectl-tenama", func(i int) [][]string {
			return [][]string{{"create", fmt.Sprintf("b-%d", i), "--ttl", "1h"}}
		}},
	}); err != nil {
		return err
	}
	if err := fill(ctx, c, b, 0, r.among-ownOf-r.commands); err != nil {
		return err
	}
	if err := compare(ctx, r, home, "commands-read", fmt.Sprintf("Reading, among %d namespaces", r.among), []command{
		{"kubectl get --raw", alice, "tools/kubectl", once("get", "--raw", collection)},
		{"kubectl tenama list", alice, "kubectl-tenama", once("list")},
		{"completion of a name", alice, "kubectl-tenama", once("__complete", "extend", "")},
	}); err != nil {
		return err
	}
	crowded, err := withContexts(home, alice, 2000)
	if err != nil {
		return err
	}
	return compare(ctx, r, home, "commands-use", "Changing a kubeconfig with 2,000 contexts", []command{
		{"kubectl config use-context", crowded, "tools/kubectl", func(i int) [][]string {
			return [][]string{{"config", "use-context", fmt.Sprintf("c%d", i)}}
		}},
		{"kubectl tenama use", crowded, "kubectl-tenama", func(i int) [][]string {
			return [][]string{{"use", fmt.Sprintf("own-%d", i%ownOf)}}
		}},
	})
}

// objectsOf writes a file with what a user would apply to make a namespace as the default
// class does.
func objectsOf(class *policyv1alpha1.NamespaceClass, home string) (string, error) {
	objs, err := class.Spec.GuardRails(policyv1alpha1.Given("any", "alice", nil), nil)
	if err != nil {
		return "", err
	}
	objs = append(objs, binding("bench.test", "owner", class.Spec.OwnerRole, "alice"))
	codec := scheme.Codecs.LegacyCodec(corev1.SchemeGroupVersion, networkingv1.SchemeGroupVersion,
		rbacv1.SchemeGroupVersion)
	var text []byte
	for _, obj := range objs {
		b, err := runtime.Encode(codec, obj)
		if err != nil {
			return "", err
		}
		text = append(text, b...)
	}
	path := filepath.Join(home, "objects.json")
	return path, os.WriteFile(path, text, 0o600)
}

// compare runs commands in turn. The first is the base of the ratios.
func compare(ctx context.Context, r *run, home, id, title string, commands []command) error {
	took := make([][]time.Duration, len(commands))
	own := filepath.Join(home, "config")
	for i := range r.commands {
		if err := turns(len(commands), func(w int) error {
			b, err := os.ReadFile(commands[w].kubeconfig)
			if err != nil {
				return err
			}
			if err := os.WriteFile(own, b, 0o600); err != nil { // a copy, because commands write to it
				return err
			}
			d, err := timed(func() error { return commands[w].run(ctx, i, own, home) })
			took[w] = append(took[w], d)
			return err
		}); err != nil {
			return err
		}
	}
	var rows []timing
	for w := range commands {
		rows = append(rows, timing{commands[w].name, took[w], took[0]})
	}
	r.add(timings(id, fmt.Sprintf("%s, %d each, in turns", title, r.commands), rows...))
	return nil
}

func (c *command) run(ctx context.Context, i int, kubeconfig, home string) error {
	for _, args := range c.args(i) {
		cmd := exec.CommandContext(ctx, testenv.Bin(c.program), args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+home)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("run %s: %w: %s", c.name, err, out)
		}
	}
	return nil
}

// withContexts returns a copy of a kubeconfig with n more contexts.
func withContexts(home, kubeconfig string, n int) (string, error) {
	b, err := os.ReadFile(kubeconfig)
	if err != nil {
		return "", err
	}
	var contexts strings.Builder
	contexts.WriteString("contexts:\n")
	for i := range n {
		fmt.Fprintf(&contexts, "- context:\n    cluster: test\n    user: alice\n    namespace: n%d\n  name: c%d\n", i, i)
	}
	path := filepath.Join(home, "crowded")
	text := strings.Replace(string(b), "contexts:\n", contexts.String(), 1)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
