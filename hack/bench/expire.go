// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// expire lets n namespaces end within a minute, and measures how long after its expiry the
// broker deletes each of them. Meanwhile others use kube-apiserver.
func (s *scene) expire(ctx context.Context, r *report, n int) error {
	quiet, err := s.foreign(ctx, 30*time.Second)
	if err != nil {
		return err
	}
	// Expiries have whole seconds. The first is late enough for all writes.
	first := time.Now().Add(2 * time.Minute).Truncate(time.Second)
	due := map[string]time.Time{}
	admin := s.c.Client("admin").CoreV1().Namespaces()
	if err := s.withoutPolicies(ctx, func() error {
		for i := range n {
			name, at := fmt.Sprintf("tmp-o%d", readers+1+i), first.Add(time.Duration(i)*time.Minute/time.Duration(n)).
				Truncate(time.Second)
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"tenama.dev/ttl-seconds":"1",%q:%q}}}`,
				v1alpha1.AnnotationExtendUntil, at.UTC().Format(time.RFC3339))
			if _, err := admin.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return err
			}
			due[name] = at
		}
		return nil
	}); err != nil {
		return err
	}
	if wait := time.Until(first.Add(-time.Second)); wait < 0 {
		return fmt.Errorf("the writes took %s longer than planned", -wait)
	} else {
		time.Sleep(wait)
	}
	busy, err := s.foreign(ctx, 62*time.Second)
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	var lags []time.Duration
	s.mu.Lock()
	for name, at := range due {
		if deleted, ok := s.delete[name]; ok {
			lags = append(lags, deleted.Sub(at))
		}
	}
	s.mu.Unlock()
	if len(lags) != n {
		return fmt.Errorf("%d of %d namespaces were deleted", len(lags), n)
	}
	r.add(table{
		ID: "expiry", Title: fmt.Sprintf("%d namespaces expire within a minute", n),
		Columns: []string{"p50 ms", "p90 ms", "p99 ms", "max ms"},
		Rows: []record{
			{"from the expiry to the call that deletes", distribution(lags)},
			{"a create of another user, before", distribution(quiet)},
			{"a create of another user, meanwhile", distribution(busy)},
		},
		Notes: []string{fmt.Sprintf("Creates of others take %.2f times as long meanwhile at p50, %.2f at p99.",
			ratio(busy, quiet, .5), ratio(busy, quiet, .99))},
	})
	return nil
}

// foreign creates ConfigMaps for a while, as a user who has nothing to do with tenama.
func (s *scene) foreign(ctx context.Context, length time.Duration) (took []time.Duration, err error) {
	maps := s.c.Client("admin").CoreV1().ConfigMaps("default")
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		begun := time.Now()
		_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "f-"}},
			metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun))
	}
	return took, nil
}

// fans is how many watches are open at once.
const fans = 1000

// fanOut measures how long an event takes to the watch of its owner, among many watches.
func (s *scene) fanOut(ctx context.Context, r *report, users int) error {
	type arrival struct {
		name string
		at   time.Time
	}
	arrivals := make(chan arrival, 10*fans)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all []*lender
	for i := range users {
		l, err := s.newLender(ctx, fmt.Sprintf("fan-%d", i))
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	var open sync.WaitGroup
	for i := range fans {
		l := all[i%users]
		w, err := l.client.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		open.Go(func() {
			for e := range w.ResultChan() {
				if tn, ok := e.Object.(*v1alpha1.TemporaryNamespace); ok && tn.Labels["n"] != "" {
					arrivals <- arrival{tn.Name + "/" + tn.Labels["n"], time.Now()}
				}
			}
		})
	}
	time.Sleep(5 * time.Second)
	atRest := resident(s.b)
	const writes = 300
	sent := map[string]time.Time{}
	for i := range writes {
		l := all[i%users]
		sent[fmt.Sprintf("%s/%d", l.namespace, i)] = time.Now()
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, i)
		if _, err := l.client.Patch(ctx, l.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	time.Sleep(5 * time.Second)
	stop()
	open.Wait()
	close(arrivals)
	var took []time.Duration
	for a := range arrivals {
		if at, ok := sent[a.name]; ok {
			took = append(took, a.at.Sub(at))
		}
	}
	if want := writes * fans / users; len(took) < want {
		return fmt.Errorf("%d of %d events arrived", len(took), want)
	}
	r.add(table{
		ID: "watches", Title: fmt.Sprintf("%d watches of %d users", fans, users),
		Columns: []string{"p50 ms", "p90 ms", "p99 ms", "max ms"},
		Rows:    []record{{"from the write to the event at its owner", distribution(took)}},
		Notes:   []string{fmt.Sprintf("Resident memory of the broker with the watches open: %.0f MiB.", atRest)},
	})
	return nil
}
