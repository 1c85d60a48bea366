// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// running is the node of this process.
var running struct {
	once sync.Once
	node *Node
	err  error
}

// Start returns the node, which all tests of a package share. The first call starts it.
func Start(t testing.TB) *Node {
	t.Helper()
	n, err := start()
	if err != nil {
		t.Fatal("start the node: ", err)
	}
	return n
}

func start() (*Node, error) {
	running.once.Do(func() {
		running.node = &Node{}
		running.err = running.node.start()
	})
	return running.node, running.err
}

// start starts what a node consists of, as much as possible at the same time.
func (n *Node) start() error {
	if err := errors.Join(links(), writeConfigs()); err != nil {
		return err
	}
	if _, err := connect(); err != nil {
		return err
	}
	clock := stopwatch{begun: time.Now()}
	var g errgroup.Group
	g.Go(func() error { defer clock.lap("control plane"); return n.startControlPlane() })
	g.Go(func() error { defer clock.lap("containerd and images"); return n.startContainerd() })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := n.startKubelet(); err != nil {
		return err
	}
	g = errgroup.Group{}
	g.Go(func() error { defer clock.lap("network policies"); return n.startPolicies() })
	g.Go(func() error { defer clock.lap("node"); return n.await("node/"+hostname, "Ready") })
	g.Go(func() error { defer clock.lap("DNS"); return n.startDNS() })
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Printf("the node is ready after %s\n", clock.laps)
	return nil
}

// await waits for a condition, the last argument.
func (n *Node) await(args ...string) error {
	what, condition := args[:len(args)-1], args[len(args)-1]
	return until("wait for "+strings.Join(what, " "), func() error {
		return n.admin(append([]string{"wait", "--for=condition=" + condition, "--timeout=5s"}, what...)...)
	})
}

// stopwatch records how long the parts of a start took.
type stopwatch struct {
	begun time.Time
	mu    sync.Mutex
	laps  string
}

func (s *stopwatch) lap(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.laps += fmt.Sprintf("%.1f s (%s) ", time.Since(s.begun).Seconds(), what)
}

// diagnose prints what helps to understand a failure.
func (n *Node) diagnose(w io.Writer) {
	for _, log := range []string{"kubelet", "containerd", "kube-router"} {
		fmt.Fprintf(w, "--- the end of the log of %s\n%s\n", log, tail(log, 15))
	}
	for _, args := range [][]string{
		{"get", "nodes,apiservices,pods", "-A"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp", "-o", "custom-columns=TIME:.lastTimestamp,NAMESPACE:" +
			".metadata.namespace,OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message"},
	} {
		cmd := exec.Command("kubectl", args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+n.kubeconfig("admin"))
		out, err := cmd.CombinedOutput()
		fmt.Fprintf(w, "--- kubectl %s (%v)\n%s\n", strings.Join(args[:3], " "), err, out)
	}
	if err := ended(); err != nil {
		fmt.Fprintln(w, "---", err)
	}
}
