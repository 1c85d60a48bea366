// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// forwarder is the name of the forwarder's ServiceAccount.
const forwarder = "tenama-forwarder"

// Forwarder is a running forwarder process.
type Forwarder struct {
	Config string // path of its configuration, which it reads again when it changes
	Log    string // path of a file

	cluster    *Cluster
	kubeconfig string
	metrics    string
	cmd        *exec.Cmd
	done       chan struct{}
}

// InstallForwarder applies the objects of deploy/components/forwarder, except its Deployment, and
// returns a forwarder that is not running.
func (c *Cluster) InstallForwarder(ctx context.Context, config, metrics string) (*Forwarder, error) {
	b, err := os.ReadFile(filepath.Join(c.Deploy, "components", "forwarder", "forwarder.yaml"))
	if err != nil {
		return nil, err
	}
	var docs []string
	for doc := range strings.SplitSeq(string(b), "---\n") {
		if !strings.Contains(doc, "kind: Deployment\n") {
			docs = append(docs, doc)
		}
	}
	out, err := c.KubectlIn("admin", strings.Join(docs, "---\n"), "apply", "--server-side", "-f", "-")
	if err != nil {
		return nil, errors.New(out)
	}
	f := &Forwarder{cluster: c, Config: filepath.Join(c.Dir, "forwarder.yaml"), Log: filepath.Join(c.Dir, "forwarder.log"),
		metrics: metrics}
	if f.kubeconfig, err = c.ServiceAccountKubeconfig(ctx, c.Home, forwarder); err != nil {
		return nil, err
	}
	return f, f.Write(config)
}

// Write replaces the configuration, as the kubelet would.
func (f *Forwarder) Write(config string) error {
	if err := os.WriteFile(f.Config+".new", []byte(config), 0o600); err != nil {
		return err
	}
	return os.Rename(f.Config+".new", f.Config)
}

// Start runs the forwarder, and returns when it forwards.
func (f *Forwarder) Start() error {
	log, err := os.OpenFile(f.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	before := strings.Count(f.Output(), `"msg":"Forwarding"`)
	f.cmd, f.done = exec.Command(f.cluster.Broker, "--forward="+f.Config, "--kubeconfig="+f.kubeconfig,
		"--namespace="+f.cluster.Home, "--metrics-address="+f.metrics), make(chan struct{})
	f.cmd.Stdout, f.cmd.Stderr = log, log
	if err := child(f.cmd); err != nil {
		return err
	}
	go func() { _ = f.cmd.Wait(); close(f.done) }()
	return Eventually(60*time.Second, func() error {
		if out := f.Output(); strings.Count(out, `"msg":"Forwarding"`) == before {
			return fmt.Errorf("the forwarder has not started: %s", out)
		}
		return nil
	})
}

// Stop asks the forwarder to end, as the kubelet would, and waits for it.
func (f *Forwarder) Stop() {
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	<-f.done
}

// Kill ends the forwarder at once.
func (f *Forwarder) Kill() {
	_ = f.cmd.Process.Kill()
	<-f.done
}

// Output returns the log of the forwarder.
func (f *Forwarder) Output() string {
	out, _ := os.ReadFile(f.Log)
	return string(out)
}
