// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tenama.dev/tenama/test/testenv"
)

// demoGroup is the group of alice and bob; the administrator of the cluster impersonates them.
const demoGroup = "tenama-demo"

// onCurrent shows the main use on the cluster of the current context.
func onCurrent(ctx context.Context, image string) (err error) {
	dir, err := os.MkdirTemp("", "tenama-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	admin := &currentCluster{ctx: ctx}
	name, err := admin.output("kubectl", "config", "current-context")
	if err != nil {
		return err
	}
	say("The cluster of context " + name)
	installed, err := admin.output("kubectl", "get", "deployments", "--all-namespaces", "-o", "name",
		"-l", "app.kubernetes.io/name=tenama,app.kubernetes.io/component=broker")
	if err != nil {
		return err
	}
	args := []string{"tenama", "install", "--yes", "--users-group", demoGroup}
	if installed == "" {
		if image == "" {
			if image, err = admin.load(name); err != nil {
				return err
			}
		}
		args = append(args, "--image", image)
		// Also if the installation is interrupted.
		defer func() {
			say("tenama is removed again")
			admin := &currentCluster{ctx: context.WithoutCancel(ctx)}
			err = errors.Join(err, admin.show("kubectl", "tenama", "uninstall", "--yes", "--delete-lent"))
		}()
		if err := admin.show("kubectl", args...); err != nil {
			return err
		}
	} else {
		fmt.Println("# tenama is installed, and stays as it is")
		binding := []string{"clusterrolebinding", "tenama-demo"}
		defer func() {
			admin := &currentCluster{ctx: context.WithoutCancel(ctx)}
			err = errors.Join(err, admin.show("kubectl", append([]string{"delete"}, binding...)...))
		}()
		if err := admin.show("kubectl", append([]string{"create"}, append(binding, "--clusterrole=tenama:user",
			"--group="+demoGroup)...)...); err != nil {
			return err
		}
	}
	for _, user := range []string{"alice", "bob"} {
		if err := admin.impersonate(filepath.Join(dir, user+".kubeconfig"), user); err != nil {
			return err
		}
	}
	return steps(ctx, dir, func(user string) string { return filepath.Join(dir, user+".kubeconfig") })
}

// currentCluster runs commands as the user whose kubeconfig is in use.
type currentCluster struct{ ctx context.Context }

func (c *currentCluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+testenv.Bin("")+":"+os.Getenv("PATH"))
	if name == "kubectl" && len(args) > 0 && args[0] == "tenama" {
		cmd.Path, cmd.Err = testenv.Bin("kubectl-tenama"), nil
		cmd.Args = append([]string{cmd.Path}, args[1:]...)
	}
	return cmd
}

// output returns the output of a command.
func (c *currentCluster) output(name string, args ...string) (string, error) {
	cmd := c.command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), err
}

// show runs a command and shows it with its output.
func (c *currentCluster) show(name string, args ...string) error {
	fmt.Printf("$ %s %s\n", name, strings.Join(args, " "))
	cmd := c.command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// load loads the image of this checkout into the nodes of a local cluster, and returns its name.
func (c *currentCluster) load(context string) (string, error) {
	const image = "tenama-broker:dev"
	archive := testenv.Bin("tenama-broker.tar")
	if name, ok := strings.CutPrefix(context, "kind-"); ok {
		return image, c.show("kind", "load", "image-archive", archive, "--name", name)
	}
	if context == "minikube" {
		return image, c.show("minikube", "image", "load", archive)
	}
	if strings.HasPrefix(context, "k3d-") {
		return image, c.show("k3d", "image", "import", archive, "--cluster", strings.TrimPrefix(context, "k3d-"))
	}
	return "", errors.New("the image has to be where the nodes can pull it: make image PUSH=NAME:TAG; " +
		"then make demo CLUSTER=current BROKER=NAME:TAG")
}

// impersonate writes a kubeconfig with which the user acts as another one.
func (c *currentCluster) impersonate(path, user string) error {
	view, err := c.output("kubectl", "config", "view", "--raw", "--flatten", "--minify")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(view), 0o600); err != nil {
		return err
	}
	return testenv.Impersonate(path, "tenama-demo-"+user, demoGroup)
}
