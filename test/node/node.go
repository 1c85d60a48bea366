// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"tenama.dev/tenama/test/testenv"
)

// Probe is an image with the command probe, which serves HTTP, dials and resolves names.
const Probe = "tenama.test/probe:1"

// Node is a running cluster with one node.
type Node struct{}

// Load imports an image from a file: a tar in the layout of the OCI or of docker save,
// which names the image. Pods that use it need an imagePullPolicy other than Always.
func (n *Node) Load(file string) error {
	return run("ctr", "--namespace=k8s.io", "images", "import", file)
}

// LoadBinary makes an image of a static binary, with the binary as its entrypoint and a
// user other than root, and imports it.
func (n *Node) LoadBinary(name, binary string) error {
	file, err := os.CreateTemp("", "image-")
	if err != nil {
		return err
	}
	file.Close()
	i := image{name: name, binary: binary, entrypoint: []string{"/" + filepath.Base(binary)}, user: "65532:65532"}
	return errors.Join(i.write(file.Name()), n.Load(file.Name()), os.Remove(file.Name()))
}

// Config returns the client configuration of a user: admin, alice and bob (group devs), or
// carol (group ops).
func (n *Node) Config(user string) (*rest.Config, error) {
	return testenv.LoadConfig(n.kubeconfig(user))
}

func (n *Node) kubeconfig(user string) string { return path("cluster", user+".kubeconfig") }

// admin runs kubectl as the administrator.
func (n *Node) admin(args ...string) error {
	return run("kubectl", append([]string{"--kubeconfig=" + n.kubeconfig("admin")}, args...)...)
}

// User is a user at a terminal, with a kubeconfig that no other test uses.
type User struct {
	t    testing.TB
	home string
}

// User returns a user: admin, alice, bob or carol. If the test fails, its commands are in
// its log.
func (n *Node) User(t testing.TB, name string) *User {
	t.Helper()
	u := &User{t: t, home: t.TempDir()}
	b, err := os.ReadFile(n.kubeconfig(name))
	if err == nil {
		err = os.WriteFile(filepath.Join(u.home, "config"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Try runs kubectl and returns its output. The plugin is kubectl tenama.
func (u *User) Try(args ...string) (string, error) { return u.tryIn("", args...) }

func (u *User) tryIn(stdin string, args ...string) (string, error) {
	cmd := exec.Command("kubectl", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(u.home, "config"), "HOME="+u.home)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Kubectl runs kubectl, which must succeed, and returns its output.
func (u *User) Kubectl(args ...string) string {
	u.t.Helper()
	out, err := u.Try(args...)
	if err != nil {
		u.t.Fatal(err)
	}
	return out
}

// Apply applies manifests, repeatedly if need be: kube-apiserver rejects objects if it
// cannot check the quota within ten seconds.
func (u *User) Apply(manifests string, args ...string) {
	u.t.Helper()
	if err := testenv.Eventually(settle, func() error {
		_, err := u.tryIn(manifests, append([]string{"apply", "--server-side", "-f", "-"}, args...)...)
		return err
	}); err != nil {
		u.t.Fatal(err)
	}
}

// Dial sends a request from a pod, or one of a Deployment (deployment/NAME), to an
// address HOST:PORT, and returns the answer of the probe there.
func (u *User) Dial(namespace, from, to string) (string, error) {
	return u.Try("exec", "-n", namespace, from, "--", "/probe", "dial", to)
}

// settle is how long a policy may take until it is in force, and a name until it is known,
// on a machine that does much else.
const settle = 3 * time.Minute

// Open waits until a pod reaches an address.
func (u *User) Open(namespace, from, to string) {
	u.t.Helper()
	if err := testenv.Eventually(settle, func() error {
		_, err := u.Dial(namespace, from, to)
		return err
	}); err != nil {
		u.t.Errorf("%s in %s does not reach %s: %v", from, namespace, to, err)
	}
}

// Closed waits until connections from a pod to an address are rejected: kube-router learns
// of new pods only after they have started. A connection without an answer does not
// count, because it could be one on a slow machine.
func (u *User) Closed(namespace, from, to string) {
	u.t.Helper()
	if err := testenv.Eventually(settle, func() error {
		out, err := u.Dial(namespace, from, to)
		if err == nil {
			return fmt.Errorf("it answered: %s", out)
		}
		if !strings.Contains(err.Error(), "connect: connection refused") {
			return err
		}
		return nil
	}); err != nil {
		u.t.Errorf("%s in %s reaches %s: %v", from, namespace, to, err)
	}
}

// Server returns the manifests of a Deployment of the probe, which serves on port 8080,
// and of its Service with port 80. Commands run in the pod: kubectl exec deployment/NAME.
func Server(name string) string {
	return strings.ReplaceAll(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: probe
        image: `+Probe+`
        args: [serve, ":8080"]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{port: 80, targetPort: http}]}
`, "NAME", name)
}

// Rollout waits until a Deployment is complete.
func (u *User) Rollout(namespace, name string) {
	u.t.Helper()
	u.Kubectl("rollout", "status", "-n", namespace, "deployment/"+name, "--timeout=3m")
}
