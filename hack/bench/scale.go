// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
	"tenama.dev/tenama/test/testenv"
)

// scene is a control plane whose broker reaches kube-apiserver through a proxy that counts
// its calls.
type scene struct {
	c      *testenv.Cluster
	port   int
	flags  []string
	b      *testenv.Broker
	proxy  *testenv.Proxy
	calls  atomic.Int64
	mu     sync.Mutex
	delete map[string]time.Time // first deletion of a namespace by the broker, by name
}

func newScene(ctx context.Context) (s *scene, stop func(), err error) {
	s = &scene{delete: map[string]time.Time{}}
	c, port, b, end, err := stage(ctx)
	if err != nil {
		return nil, nil, err
	}
	s.c, s.port, s.b = c, port, b
	stop = func() {
		if s.proxy != nil {
			s.proxy.Close()
		}
		s.b.Kill()
		end()
	}
	if s.proxy, err = c.StartProxy(); err != nil {
		stop()
		return nil, nil, err
	}
	kubeconfig, err := s.proxy.Kubeconfig(ctx, c)
	if err != nil {
		stop()
		return nil, nil, err
	}
	s.proxy.Break(s.saw)
	s.flags = []string{"--kubeconfig=" + kubeconfig, "--inspect-interval=1h"}
	return s, stop, nil
}

// saw records a call of the broker.
func (s *scene) saw(r *http.Request) *testenv.Fault {
	s.calls.Add(1)
	if name, ok := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/"); ok && r.Method == http.MethodDelete {
		s.mu.Lock()
		if _, seen := s.delete[name]; !seen {
			s.delete[name] = time.Now()
		}
		s.mu.Unlock()
	}
	return nil
}

// restart starts the broker again, and returns how long it took until it served.
func (s *scene) restart(ctx context.Context) (time.Duration, error) {
	s.b.Kill()
	begun := time.Now()
	b, err := s.c.StartBroker(ctx, s.port, "broker-0", s.flags...)
	if err != nil {
		return 0, err
	}
	s.b = b
	return time.Since(begun), nil
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

// scale measures the broker among 100, 1,000 and more namespaces.
func scale(ctx context.Context, r *report, sizes []int) error {
	s, stop, err := newScene(ctx)
	if err != nil {
		return err
	}
	defer stop()
	config, err := s.c.ConfigFor("reader-0", "devs")
	if err != nil {
		return err
	}
	user, err := tenama.New(config)
	if err != nil {
		return err
	}
	for i := range readers {
		tn := &v1alpha1.TemporaryNamespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("tmp-r0-%d", i)}}
		if _, err := user.Create(ctx, tn, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	t := table{
		ID: "scale", Title: "The broker among lent namespaces",
		Columns: []string{"start to ready s", "at rest MiB", "at rest CPU %", "calls a minute", "own list p50 ms",
			"p99 ms", "to Namespaces p50", "list of all s", "8 callers a second", "MiB", "32 callers a second", "MiB"},
		Notes: []string{"Start to ready is until kube-apiserver forwards requests. Calls are those to kube-apiserver at " +
			"rest, with the proof of the policies every two minutes and without inspections of guard rails."},
	}
	made := readers
	for _, n := range sizes {
		if err := fill(ctx, s.c, s.c.Client("admin"), made, n); err != nil {
			return err
		}
		made = n
		row, err := s.measure(ctx, user, n)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, record{strconv.Itoa(n) + " namespaces", row})
	}
	r.add(t)
	if last := sizes[len(sizes)-1]; last >= 100 {
		expiring := min(1000, last/2)
		return errors.Join(s.fanOut(ctx, r, 100), s.expire(ctx, r, expiring))
	}
	return nil
}

// measure returns a row of the table of scale.
func (s *scene) measure(ctx context.Context, user *tenama.Client, n int) ([]float64, error) {
	started, err := s.restart(ctx)
	if err != nil {
		return nil, err
	}
	const rest = time.Minute
	time.Sleep(20 * time.Second)
	calls, used := s.calls.Load(), cpu(s.b)
	time.Sleep(rest)
	row := []float64{started.Seconds(), resident(s.b), 100 * (cpu(s.b) - used).Seconds() / rest.Seconds(),
		float64(s.calls.Load()-calls) / rest.Minutes()}
	own, base, err := s.ownLists(ctx, user, 300)
	if err != nil {
		return nil, err
	}
	row = append(row, ms(at(own, .5)), ms(at(own, .99)), ratio(own, base, .5))
	all, err := s.listAll(ctx, n)
	if err != nil {
		return nil, err
	}
	row = append(row, all.Seconds())
	for _, callers := range []int{8, 32} {
		rate, mib, err := s.callers(ctx, user, callers)
		if err != nil {
			return nil, err
		}
		row = append(row, rate, mib)
	}
	return row, nil
}

// ownLists alternates between a user's list and kube-apiserver's list of the same Namespaces.
func (s *scene) ownLists(ctx context.Context, user *tenama.Client, n int) (own, base []time.Duration, err error) {
	admin := s.c.Client("admin")
	selector := v1alpha1.LabelOwner + "=" + v1alpha1.OwnerHash("reader-0")
	for i := range n + 10 {
		begun := time.Now()
		plain, err := admin.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
		between := time.Now()
		if err != nil {
			return nil, nil, err
		}
		list, err := user.List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, nil, err
		}
		if len(plain.Items) != readers || len(list.Items) != readers {
			return nil, nil, fmt.Errorf("list %d own namespaces: %d and %d", readers, len(plain.Items), len(list.Items))
		}
		if i >= 10 {
			base, own = append(base, between.Sub(begun)), append(own, time.Since(between))
		}
	}
	return own, base, nil
}

// listAll returns the median time of a list of all namespaces, in pages as kubectl reads them.
func (s *scene) listAll(ctx context.Context, n int) (time.Duration, error) {
	admin, err := tenama.New(s.c.Config("admin"))
	if err != nil {
		return 0, err
	}
	var took []time.Duration
	for range 5 {
		begun, found := time.Now(), 0
		for o := (metav1.ListOptions{Limit: 500}); ; {
			list, err := admin.List(ctx, o)
			if err != nil {
				return 0, err
			}
			found += len(list.Items)
			if o.Continue = list.Continue; o.Continue == "" {
				break
			}
		}
		if found != n {
			return 0, fmt.Errorf("list all: %d of %d", found, n)
		}
		took = append(took, time.Since(begun))
	}
	return at(took, .5), nil
}

// callers lists with several callers at once, and returns the rate and the memory.
func (s *scene) callers(ctx context.Context, user *tenama.Client, n int) (rate, mib float64, err error) {
	const length = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var done, failed atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := user.List(ctx, metav1.ListOptions{}); err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		return 0, 0, fmt.Errorf("%d of %d lists failed with %d callers", failed.Load(), done.Load(), n)
	}
	return float64(done.Load()) / length.Seconds(), resident(s.b), nil
}
