// SPDX-License-Identifier: Apache-2.0

// Package testenv starts a control plane with tenama installed from deploy/, for tests,
// the demo and benchmarks. The broker runs beside it as a process that has the identity
// and the rights of its ServiceAccount.
//
// Child processes end with this process, even if it is killed.
package testenv

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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

// Root returns the top directory of the checkout.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil &&
			bytes.HasPrefix(b, []byte("module tenama.dev/tenama\n")) {
			return dir
		}
		if dir == "/" {
			panic("not inside the checkout")
		}
	}
}

// Bin returns the path of a binary: cluster, kubectl, kubectl-tenama, tenama-broker. Those in
// the directory TENAMA_BIN, if it is set, take precedence.
func Bin(name string) string {
	if other := filepath.Join(os.Getenv("TENAMA_BIN"), name); filepath.IsAbs(other) {
		if _, err := os.Stat(other); err == nil {
			return other
		}
	}
	return filepath.Join(Root(), "bin", name)
}

// controlPlane returns the control plane binary and the name of the module file that it
// was built from: those of the newest Kubernetes that tenama supports, or of the oldest;
// for benchmarks those of the newest with Go's own compiler flags.
func controlPlane() (bin, modfile string) {
	switch os.Getenv("KUBERNETES") {
	case "oldest":
		return "cluster-oldest", "oldest"
	case "release":
		return "cluster-release", "go"
	}
	return "cluster", "go"
}

// CheckFresh returns an error if the control plane was not built from the sources in
// the checkout.
func CheckFresh() error {
	bin, mod := controlPlane()
	have, err := exec.Command(Bin(bin), "sources").Output()
	if err != nil {
		return fmt.Errorf("run the control plane binary: %w; build it with: make %s", err, bin)
	}
	want, err := exec.Command("sh", "-c",
		fmt.Sprintf("cd %s && cat %s.mod %s.sum *.go build.sh | git hash-object --stdin",
			filepath.Join(Root(), "test", "cluster"), mod, mod)).Output()
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
	Dir    string // data, and NAME.kubeconfig for admin, alice, bob (group devs), carol (ops), dora (devs), erik (ops)
	Server string // https://127.0.0.1:PORT

	// The manifests that Install applies, and the names in their settings.yaml.
	Deploy  string // directory
	Home    string // namespace of the broker
	Account string // ServiceAccount of the broker

	Broker string // path of the broker's binary

	process *process
}

// StartCluster runs a control plane that keeps its data in dir.
func StartCluster(ctx context.Context, dir string, flags ...string) (*Cluster, error) {
	if err := CheckFresh(); err != nil {
		return nil, err
	}
	args := []string{"up", "--lifeline", "--dir", dir}
	for _, f := range flags {
		args = append(args, "--apiserver-flag", f)
	}
	p, url, err := startProcess(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	return &Cluster{
		Dir: dir, Server: url, Home: system, Account: broker, Deploy: filepath.Join(Root(), "deploy"),
		Broker: Bin("tenama-broker"), process: p,
	}, nil
}

// StartSecond runs a second kube-apiserver on the same etcd, with further flags, and returns
// its URL.
func (c *Cluster) StartSecond(ctx context.Context, flags ...string) (url string, stop func(), err error) {
	args := []string{"second", "--dir", c.Dir}
	for _, f := range flags {
		args = append(args, "--apiserver-flag="+f)
	}
	p, url, err := startProcess(ctx, args...)
	if err != nil {
		return "", nil, fmt.Errorf("start a second kube-apiserver: %w", err)
	}
	return url, p.stop, nil
}

// process is a command of the control plane binary that runs until its standard input
// ends.
type process struct {
	stdin io.Closer
	done  chan struct{} // closed once it has ended
}

// startProcess starts a command and waits until it prints that it is ready, and where.
func startProcess(ctx context.Context, args ...string) (p *process, url string, err error) {
	bin, _ := controlPlane()
	cmd := exec.Command(Bin(bin), args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	p = &process{stdin: stdin, done: make(chan struct{})}
	ready := make(chan string, 1)
	go func() {
		s := bufio.NewScanner(stdout)
		for s.Scan() {
			if f := strings.Fields(s.Text()); len(f) > 1 && f[0] == "ready" {
				ready <- f[1]
			}
		}
		_ = cmd.Wait()
		close(p.done)
	}()
	select {
	case url = <-ready:
		return p, url, nil
	case <-p.done:
		return nil, "", errors.New(strings.TrimSpace(errs.String()))
	case <-ctx.Done():
		p.stop()
		return nil, "", ctx.Err()
	}
}

// stop ends the process and waits for its end.
func (p *process) stop() {
	_ = p.stdin.Close()
	<-p.done
}

// With returns the same cluster with the manifests and names of another installation.
func (c *Cluster) With(deploy, home, account string) *Cluster {
	other := *c
	other.Deploy, other.Home, other.Account = deploy, home, account
	return &other
}

// Stop ends the control plane and waits for its end. Its files stay.
func (c *Cluster) Stop() { c.process.stop() }

// Signal sends a signal to a component: kube-apiserver or kube-controller-manager.
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

// Kubeconfig returns the path of a user's kubeconfig.
func (c *Cluster) Kubeconfig(user string) string { return filepath.Join(c.Dir, user+".kubeconfig") }

// Config returns the client configuration of a user, without client-go's rate limit.
func (c *Cluster) Config(user string) *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig(user))
	if err != nil {
		panic(err)
	}
	config.QPS = -1
	return config
}

// Client returns a typed client of a user.
func (c *Cluster) Client(user string) *kubernetes.Clientset {
	return kubernetes.NewForConfigOrDie(c.Config(user))
}

// Kubectl runs kubectl as a user and returns its combined output.
func (c *Cluster) Kubectl(user string, args ...string) (string, error) {
	return c.KubectlIn(user, "", args...)
}

// KubectlIn is like Kubectl, with stdin as standard input.
func (c *Cluster) KubectlIn(user, stdin string, args ...string) (string, error) {
	cmd := exec.Command(Bin("kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(user), "PATH="+Bin("")+":"+os.Getenv("PATH"), "HOME="+c.Dir)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// child starts a process that ends when this process ends.
func child(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Start()
}

// Eventually calls f until it returns nil, but for no longer than d; it then returns
// the last error.
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

// LoadConfig returns the client configuration of a kubeconfig, without client-go's rate
// limit.
func LoadConfig(path string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}
