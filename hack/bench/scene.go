// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// scene is a control plane whose broker reaches kube-apiserver through a proxy that counts
// its calls.
type scene struct {
	c      *testenv.Cluster
	b      *testenv.Broker
	owner  *tenama.Client // has ownOf namespaces
	direct *tenama.Client // is the same user, but connects to the broker
	flags  []string
	proxy  *testenv.Proxy

	mu      sync.Mutex
	calls   map[string]int       // of the broker, by what they did
	deleted map[string]time.Time // first deletion of a namespace by the broker, by name
}

func newScene(ctx context.Context, r *run) (s *scene, stop func(), err error) {
	c, b, end, err := stage(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	s = &scene{c: c, b: b, calls: map[string]int{}, deleted: map[string]time.Time{}}
	stop = func() {
		if s.proxy != nil {
			s.proxy.Close()
		}
		s.b.Kill()
		end()
	}
	if err := s.connect(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return s, stop, nil
}

func (s *scene) connect(ctx context.Context) (err error) {
	if err := lendTo(ctx, s.c, "reader"); err != nil {
		return err
	}
	if s.owner, err = userOf(s.c, "reader"); err != nil {
		return err
	}
	if s.direct, err = direct(s.c, s.b, "reader"); err != nil {
		return err
	}
	if s.proxy, err = s.c.StartProxy(); err != nil {
		return err
	}
	kubeconfig, err := s.proxy.Kubeconfig(ctx, s.c)
	if err != nil {
		return err
	}
	s.proxy.Break(s.saw)
	s.flags = []string{"--kubeconfig=" + kubeconfig}
	return nil
}

// saw records a call of the broker.
func (s *scene) saw(r *http.Request) *testenv.Fault {
	name, isNamespace := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[purpose(r)]++
	if _, seen := s.deleted[name]; isNamespace && r.Method == http.MethodDelete && !seen {
		s.deleted[name] = time.Now()
	}
	return nil
}

// purpose returns what a call is about: its method and resource, and whether it is a dry run.
func purpose(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	parts = parts[min(len(parts), 2):] // api/v1
	if len(parts) > 0 && strings.HasPrefix(r.URL.Path, "/apis/") {
		parts = parts[1:]
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	what := r.Method + " " + strings.Join(parts[:min(len(parts), 1)], "")
	switch {
	case r.URL.Query().Get("watch") != "":
		return "watches"
	case r.URL.Query().Get("dryRun") != "":
		return what + ", dry run"
	}
	return what
}

// counted returns the calls so far, by purpose.
func (s *scene) counted() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// restart starts the broker again, and returns how long it took until it answered.
func (s *scene) restart(ctx context.Context) (time.Duration, error) {
	s.b.Kill()
	begun := time.Now()
	b, err := s.c.LaunchBroker(ctx, s.b.Port, "broker-0", s.flags...)
	if err != nil {
		return 0, err
	}
	s.b = b
	for end := begun.Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		list, err := s.direct.List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) == ownOf {
			break
		}
		select {
		case <-b.Done():
			out, _ := b.Output()
			return 0, fmt.Errorf("start the broker: it ended: %s", out[max(0, len(out)-300):])
		default:
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("start the broker: %w", err)
		}
	}
	took := time.Since(begun)
	return took, s.c.WaitServed(ctx, b)
}

// cpu returns the time that the broker has run on a core. The kernel counts in hundredths of
// a second (proc(5), sysconf(_SC_CLK_TCK)).
func cpu(b *testenv.Broker) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.PID()))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
