// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"tenama.dev/tenama/test/testenv"
)

// order records the events of the cluster in their order.
type order struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards all below
	events []moment
	ready  map[types.UID]bool // admitted sooner or later
	now    map[types.UID]int  // cores of the existing namespaces that are known to be admitted
}

type moment struct {
	at    time.Time
	uid   types.UID
	cores int
	kind  watch.EventType
	ready bool
}

// watchOrder watches all namespaces of the class.
func watchOrder(ctx context.Context, c *testenv.Cluster) (*order, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := c.Client("admin").CoreV1().Namespaces().
		Watch(ctx, metav1.ListOptions{LabelSelector: "tenama.dev/class=cell"})
	if err != nil {
		cancel()
		return nil, err
	}
	o := &order{cancel: cancel, done: make(chan struct{}), ready: map[types.UID]bool{}, now: map[types.UID]int{}}
	go func() {
		defer close(o.done)
		for e := range w.ResultChan() {
			if ns, ok := e.Object.(*corev1.Namespace); ok {
				o.saw(e.Type, ns)
			}
		}
	}()
	return o, nil
}

func (o *order) saw(kind watch.EventType, ns *corev1.Namespace) {
	var reserved corev1.ResourceList
	_ = json.Unmarshal([]byte(ns.Annotations["tenama.dev/reserved"]), &reserved)
	cores := reserved["requests.cpu"]
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, moment{time.Now(), ns.UID, int(cores.Value()), kind,
		ns.Annotations["tenama.dev/ready"] == "true"})
	if ns.Annotations["tenama.dev/ready"] == "true" {
		o.ready[ns.UID] = true
		o.now[ns.UID] = int(cores.Value())
	}
	if kind == watch.Deleted {
		delete(o.now, ns.UID)
	}
}

// reserved returns the cores of the namespaces that are known to be admitted.
func (o *order) reserved() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := 0
	for _, cores := range o.now {
		sum += cores
	}
	return sum
}

func (o *order) stop() {
	time.Sleep(500 * time.Millisecond) // the last events
	o.cancel()
	<-o.done
}

// account replays the events. It returns the highest number of cores that admitted
// namespaces ever held, from their creation until they were gone; the number of
// admitted namespaces; the number of events at which the budget was too full for the
// largest request; the number of all events; and the number of creations that found no
// room, with the longest time since the budget was full.
//
// A namespace that did not fit when it was created, and was admitted when another one had
// gone before its own decision, holds its cores from the moment when it is ready: until
// then no user has access, and the broker counts it against all later ones.
func (o *order) account() (most, let, atLimit, events, races int, latest time.Duration) {
	taken, sum := map[types.UID]int{}, 0
	hold := func(e moment) {
		taken[e.uid] = e.cores
		sum += e.cores
		let++
	}
	since := map[int]time.Time{} // by cores: since when there is no room for so many
	for _, e := range o.events {
		switch e.kind {
		case watch.Added:
			if !o.ready[e.uid] {
				races++
				if full, ok := since[e.cores]; ok {
					latest = max(latest, e.at.Sub(full))
				}
				continue
			}
			if sum+e.cores <= limit {
				hold(e)
			}
		case watch.Modified:
			if _, held := taken[e.uid]; e.ready && !held {
				hold(e)
			}
		case watch.Deleted:
			sum -= taken[e.uid]
			delete(taken, e.uid)
		}
		most = max(most, sum)
		if sum > limit-4 {
			atLimit++
		}
		for cores := 1; cores <= 4; cores++ {
			if _, full := since[cores]; sum+cores <= limit {
				delete(since, cores)
			} else if !full {
				since[cores] = e.at
			}
		}
	}
	return most, let, atLimit, len(o.events), races, latest
}

func (o *order) String() string {
	return fmt.Sprintf("%2d of %d cores in use", o.reserved(), limit)
}
