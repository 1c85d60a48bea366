// SPDX-License-Identifier: Apache-2.0

// Command screenshots creates the screenshots of the documentation: it runs commands in a
// real terminal, on a real control plane with tenama on it, and draws their output.
// Nothing in a screenshot is invented except for the prompt before each command, and
// replacements of two values that depend on the machine: the server is
// https://cluster.example.test, and the home directory is ~. Times are those of the
// run.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tenama.dev/tenama/test/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := captureAll(ctx, filepath.Join(testenv.Root(), "docs", "pictures")); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// environment is a cluster with the terminals of its users.
type environment struct {
	cluster   *testenv.Cluster
	terminals map[string]*userTerminal
}

func captureAll(ctx context.Context, to string) (err error) {
	dir, err := os.MkdirTemp("", "tenama-screenshots-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	st := &environment{terminals: map[string]*userTerminal{}}
	if st.cluster, err = testenv.StartCluster(ctx, filepath.Join(dir, "cluster")); err != nil {
		return err
	}
	defer st.cluster.Stop()
	port, err := st.cluster.Install(ctx)
	if err != nil {
		return err
	}
	broker, err := st.cluster.StartBroker(ctx, port, "broker-0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Stop()) }()
	nightly, err := st.prepare(dir)
	if err != nil {
		return err
	}
	defer nightly.interrupt()
	drawn := make([][]byte, len(screenshots))
	for i, p := range screenshots {
		if drawn[i], err = p.draw(ctx, st); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for i, p := range screenshots { // all or none
		if err := os.WriteFile(filepath.Join(to, p.name+".svg"), drawn[i], 0o644); err != nil {
			return err
		}
		fmt.Printf("docs/pictures/%s.svg: %d bytes\n", p.name, len(drawn[i]))
	}
	return nil
}

// prepare creates the classes, the users, and namespaces that age until the screenshots
// are captured. It returns a session that holds the lease of one of them.
func (st *environment) prepare(dir string) (*session, error) {
	if out, err := st.cluster.KubectlIn("admin", policy, "apply", "-f", "-"); err != nil {
		return nil, errors.New(out)
	}
	for _, user := range []string{"alice", "bob", "dora"} {
		t, err := newTerminal(st.cluster, dir, user)
		if err != nil {
			return nil, err
		}
		st.terminals[user] = t
	}
	bob, dora := st.terminals["bob"], st.terminals["dora"]
	// The broker may not have received the class yet.
	err := testenv.Eventually(20*time.Second, func() error {
		return bob.quietly("kubectl tenama create bench --class large --ttl 1h")
	})
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(watched[1:]) {
		if err := dora.quietly(strings.TrimSpace(line)); err != nil {
			return nil, err
		}
	}
	s, err := dora.start("kubectl tenama run -n nightly -- sleep 600")
	if err != nil {
		return nil, err
	}
	if _, err := s.until(context.Background(), 20*time.Second, shows("^namespace/tmp-nightly created")); err != nil {
		s.interrupt()
		return nil, err
	}
	return s, nil
}

// draw returns a screenshot as SVG.
func (p screenshot) draw(ctx context.Context, st *environment) ([]byte, error) {
	t := st.terminals[p.user]
	t.sent, t.cols = nil, cmp.Or(p.cols, defaultWidth)
	for _, line := range p.lines {
		if err := t.run(ctx, line); err != nil {
			return nil, err
		}
	}
	sent := t.sent
	if p.capture != nil {
		var err error
		if sent, err = p.capture(ctx, st); err != nil {
			return nil, err
		}
	}
	s, err := interpret(sent, t.cols)
	if err != nil {
		return nil, err
	}
	if err := p.check(strings.Join(s.rows(), "\n")); err != nil {
		return nil, err
	}
	return svg(p.title, s), nil
}
