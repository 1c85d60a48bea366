// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is what users do meanwhile.
type traffic struct {
	ended chan struct{}
	wg    sync.WaitGroup

	mu       sync.Mutex
	calls    map[string]int // by kind
	failures int
	errors   []string      // the first of them
	deletion time.Duration // the longest deletion of a namespace elsewhere
}

// traffics is the number of the last namespace.
var traffics atomic.Int64

// startTraffic calls the plugin to read and to write, sends requests that nothing repeats,
// and creates and deletes ordinary namespaces, each in a loop.
func startTraffic(t *testing.T, n *Node) *traffic {
	load := &traffic{ended: make(chan struct{}), calls: map[string]int{}}
	alice, bob, admin := n.User(t, "alice"), n.User(t, "bob"), n.User(t, "admin")
	load.loop(func() {
		_, err := alice.Try("tenama", "list")
		load.count("list", err)
	})
	load.loop(func() {
		name := fmt.Sprintf("tmp-traffic-%d", traffics.Add(1))
		_, err := bob.Try("tenama", "create", name, "--ttl", "10m")
		load.count("create", err)
		_, err = bob.Try("tenama", "delete", name, "--yes")
		load.count("delete", err)
	})
	api := clientOf(t, n, "alice").Discovery().RESTClient()
	load.loop(func() {
		_, err := api.Get().AbsPath("/apis/tenama.dev/v1alpha1/temporarynamespaces").MaxRetries(0).DoRaw(context.Background())
		load.count("request", err)
		time.Sleep(50 * time.Millisecond)
	})
	load.loop(func() {
		name := fmt.Sprintf("plain-%d", traffics.Add(1))
		if _, err := admin.Try("create", "namespace", name); err != nil {
			t.Error(err)
			return
		}
		begun := time.Now()
		if _, err := admin.Try("delete", "namespace", name, "--timeout=3m"); err != nil {
			t.Error("the deletion of a namespace elsewhere: ", err)
		}
		load.mu.Lock()
		load.deletion = max(load.deletion, time.Since(begun))
		load.mu.Unlock()
	})
	return load
}

func (l *traffic) loop(f func()) {
	l.wg.Go(func() {
		for {
			select {
			case <-l.ended:
				return
			default:
				f()
			}
		}
	})
}

// count records the result of a call.
func (l *traffic) count(kind string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[kind]++
	if err != nil {
		if l.failures++; l.failures <= 20 {
			l.errors = append(l.errors, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.0"), kind, err))
		}
	}
}

// stop ends the loops, and fails the test if a namespace elsewhere was not deleted within
// a minute.
func (l *traffic) stop(t *testing.T) {
	t.Helper()
	close(l.ended)
	l.wg.Wait()
	t.Logf("calls: %v, failed: %d; the longest deletion of a namespace elsewhere took %.1f s\n%s", l.calls, l.failures,
		l.deletion.Seconds(), strings.Join(l.errors, "\n"))
	if l.deletion > time.Minute {
		t.Errorf("a namespace elsewhere was deleted after %s", l.deletion)
	}
}
