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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// plugin measures whole commands, including the start of the process, relative to a
// minimal kubectl command for the same purpose.
func plugin(ctx context.Context, n, among int) error {
	c, _, _, stop, err := stage(ctx)
	if err != nil {
		return err
	}
	defer stop()
	home, err := os.MkdirTemp("", "tenama-bench-home-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	admin := c.Client("admin")
	alice := c.Kubeconfig("alice")
	user, err := tenama.New(c.Config("alice"))
	if err != nil {
		return err
	}
	for i := range readers {
		if _, err := user.Create(ctx, &v1alpha1.TemporaryNamespace{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("tmp-r0-%d", i)},
		}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	fmt.Printf("\nWhole commands, %d each, interleaved\n", n)
	if err := compare(ctx, n, home, alice, []command{
		{
			"kubectl create namespace", c.Kubeconfig("admin"), "tools/kubectl",
			func(i int) []string { return []string{"create", "namespace", fmt.Sprintf("bare-%d", i)} },
		},
		{
			"create", alice, "kubectl-tenama", func(i int) []string {
				return []string{"create", fmt.Sprintf("b-%d", i), "--ttl", "1h"}
			},
		},
	}); err != nil {
		return err
	}
	if err := fill(ctx, c, admin, 0, among-readers-n); err != nil {
		return err
	}
	raw := "/apis/tenama.dev/v1alpha1/temporarynamespaces"
	if err := compare(ctx, n, home, alice, []command{
		{"kubectl get --raw", alice, "tools/kubectl", func(int) []string { return []string{"get", "--raw", raw} }},
		{"list", alice, "kubectl-tenama", func(int) []string { return []string{"list"} }},
		{"completion of a name", alice, "kubectl-tenama", func(int) []string { return []string{"__complete", "extend", ""} }},
		{"version --client", alice, "kubectl-tenama", func(int) []string { return []string{"version", "--client"} }},
	}); err != nil {
		return err
	}
	return crowded(ctx, n, home, alice)
}

// command is one way to perform an operation, as a process.
type command struct {
	name       string
	kubeconfig string
	program    string
	args       func(i int) []string
}

// compare runs commands in turn and prints their times, and ratios to the first.
func compare(ctx context.Context, n int, home, kubeconfig string, commands []command) error {
	own := filepath.Join(home, "config")
	var b []byte
	if kubeconfig != "" {
		var err error
		if b, err = os.ReadFile(kubeconfig); err != nil {
			return err
		}
	}
	took := make([][]time.Duration, len(commands))
	for i := range n {
		for w, cmd := range commands {
			path := cmd.kubeconfig
			if path == kubeconfig { // a copy, because contexts are written to it
				path = own
				if err := os.WriteFile(own, b, 0o600); err != nil {
					return err
				}
			}
			run := exec.CommandContext(ctx, testenv.Bin(cmd.program), cmd.args(i)...)
			run.Env = append(os.Environ(), "KUBECONFIG="+path, "HOME="+home)
			begun := time.Now()
			if out, err := run.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", cmd.name, err, out)
			}
			took[w] = append(took[w], time.Since(begun))
		}
	}
	fmt.Printf("%-28s %8s %8s   %s\n", "", "p50 ms", "p99 ms", "to "+commands[0].name+" at p50, p90")
	for w := range commands {
		fmt.Printf("%-28s %8.1f %8.1f   %.2f %.2f\n", commands[w].name, ms(at(took[w], .5)), ms(at(took[w], .99)),
			ratio(took[w], took[0], .5), ratio(took[w], took[0], .9))
	}
	return nil
}

// crowded measures a change of a kubeconfig with 2,000 contexts.
func crowded(ctx context.Context, n int, home, kubeconfig string) error {
	b, err := os.ReadFile(kubeconfig)
	if err != nil {
		return err
	}
	var contexts strings.Builder
	contexts.WriteString("contexts:\n")
	for i := range 2000 {
		fmt.Fprintf(&contexts, "- context:\n    cluster: test\n    user: alice\n    namespace: n%d\n  name: c%d\n", i, i)
	}
	path := filepath.Join(home, "crowded")
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), "contexts:\n", contexts.String(), 1)),
		0o600); err != nil {
		return err
	}
	fmt.Println("\nWith 2,000 contexts in the kubeconfig")
	return compare(ctx, n, home, "", []command{
		{
			"kubectl config use-context", path, "tools/kubectl", func(i int) []string {
				return []string{"config", "use-context", fmt.Sprintf("c%d", i)}
			},
		},
		{"use", path, "kubectl-tenama", func(i int) []string { return []string{"use", fmt.Sprintf("r0-%d", i%readers)} }},
	})
}
