// SPDX-License-Identifier: Apache-2.0

// Package testenv starts a control plane with tenama installed as deploy/ says, for
// tests, the demo and benchmarks. The broker runs beside it as a process that has the
// identity and the rights of its ServiceAccount.
//
// Everything that it starts ends with it: children die with this process, even if it
// is killed.
package testenv

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Root is the top of the checkout.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && bytes.HasPrefix(b, []byte("module tenama.dev/tenama\n")) {
			return dir
		}
		if dir == "/" {
			panic("not inside the checkout")
		}
	}
}

// Bin is where the binaries lie: cluster, kubectl, kubectl-tenama, tenama-broker.
func Bin(name string) string { return filepath.Join(Root(), "bin", name) }

// controlPlane is the binary of the control plane and the module file that it
// was built by: the newest Kubernetes that tenama is for, or the oldest.
func controlPlane() (bin, modfile string) {
	if os.Getenv("KUBERNETES") == "oldest" {
		return "cluster-oldest", "oldest"
	}
	return "cluster", "go"
}

// CheckFresh fails if the control plane was built from other sources than those
// of the checkout.
func CheckFresh() error {
	bin, mod := controlPlane()
	have, err := exec.Command(Bin(bin), "sources").Output()
	if err != nil {
		return fmt.Errorf("run the control plane binary: %w; build it with: make %s", err, bin)
	}
	want, err := exec.Command("sh", "-c", fmt.Sprintf("cd %s && cat %s.mod %s.sum *.go build.sh | git hash-object --stdin", filepath.Join(Root(), "test", "cluster"), mod, mod)).Output()
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("bin/%s is older than test/cluster; build it with: make %s", bin, bin)
	}
	return nil
}

// Cluster is a running control plane.
type Cluster struct {
	Dir    string // its data, and NAME.kubeconfig for admin, alice, bob (group devs), carol (ops), dora (devs), erik (ops)
	Server string // https://127.0.0.1:PORT

	// What Install installs, and the names in its settings.yaml.
	Deploy  string // folder
	Home    string // namespace of the broker
	Account string // ServiceAccount of the broker

	stdin io.Closer
	done  chan struct{}
	out   bytes.Buffer
}

// StartCluster runs a control plane with its data in dir.
func StartCluster(ctx context.Context, dir string, flags ...string) (*Cluster, error) {
	if err := CheckFresh(); err != nil {
		return nil, err
	}
	args := []string{"up", "--lifeline", "--dir", dir}
	for _, f := range flags {
		args = append(args, "--apiserver-flag", f)
	}
	bin, _ := controlPlane()
	cmd := exec.Command(Bin(bin), args...)
	c := &Cluster{Dir: dir, Home: system, Account: broker, Deploy: filepath.Join(Root(), "deploy"), done: make(chan struct{})}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = &c.out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.stdin = stdin
	ready := make(chan string, 1)
	go func() { follow(cmd, stdout, ready, c.done) }()
	select {
	case c.Server = <-ready:
		return c, nil
	case <-c.done:
		return nil, fmt.Errorf("start the control plane: %s", strings.TrimSpace(c.out.String()))
	case <-ctx.Done():
		c.Stop()
		return nil, ctx.Err()
	}
}

// follow waits for a command to be ready, and for its end.
func follow(cmd *exec.Cmd, stdout io.Reader, ready chan<- string, done chan<- struct{}) {
	s := bufio.NewScanner(stdout)
	for s.Scan() {
		if f := strings.Fields(s.Text()); len(f) > 1 && f[0] == "ready" {
			ready <- f[1]
		}
	}
	_ = cmd.Wait()
	close(done)
}

// StartSecond runs a second kube-apiserver on the same etcd, and returns its URL.
func (c *Cluster) StartSecond(ctx context.Context) (url string, stop func(), err error) {
	bin, _ := controlPlane()
	cmd := exec.Command(Bin(bin), "second", "--dir", c.Dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ready, done := make(chan string, 1), make(chan struct{})
	go follow(cmd, stdout, ready, done)
	stop = func() { _ = stdin.Close(); <-done }
	select {
	case url = <-ready:
		return url, stop, nil
	case <-done:
		return "", nil, fmt.Errorf("start a second kube-apiserver: %s", strings.TrimSpace(out.String()))
	case <-ctx.Done():
		stop()
		return "", nil, ctx.Err()
	}
}

// With is the same cluster, with another installation in mind.
func (c *Cluster) With(deploy, home, account string) *Cluster {
	other := *c
	other.Deploy, other.Home, other.Account = deploy, home, account
	return &other
}

// Stop ends the control plane and waits for it. Its files stay.
func (c *Cluster) Stop() {
	_ = c.stdin.Close()
	<-c.done
}

// Signal sends a signal to one of the components, kube-apiserver or
// kube-controller-manager.
func (c *Cluster) Signal(component string, sig syscall.Signal) error {
	b, err := os.ReadFile(filepath.Join(c.Dir, component+".pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// Kubeconfig is the file of one of the users.
func (c *Cluster) Kubeconfig(user string) string { return filepath.Join(c.Dir, user+".kubeconfig") }

// Config is how one of the users talks to the cluster, without client-go's
// limit on requests.
func (c *Cluster) Config(user string) *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig(user))
	if err != nil {
		panic(err)
	}
	config.QPS = -1
	return config
}

// Client is a typed client of one of the users.
func (c *Cluster) Client(user string) *kubernetes.Clientset {
	return kubernetes.NewForConfigOrDie(c.Config(user))
}

// Kubectl runs kubectl as one of the users and returns both outputs, mixed.
func (c *Cluster) Kubectl(user string, args ...string) (string, error) {
	return c.KubectlIn(user, "", args...)
}

// KubectlIn is Kubectl with something on standard input.
func (c *Cluster) KubectlIn(user, stdin string, args ...string) (string, error) {
	cmd := exec.Command(Bin("kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(user), "PATH="+Bin("")+":"+os.Getenv("PATH"), "HOME="+c.Dir)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// child starts a process that does not outlive this one.
func child(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Start()
}

// Eventually calls f until it returns nil, for at most d; then it returns the
// last error.
func Eventually(d time.Duration, f func() error) error {
	end := time.Now().Add(d)
	for {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// LoadConfig is how the identity of a kubeconfig talks to the cluster, without
// client-go's limit on requests.
func LoadConfig(path string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}
