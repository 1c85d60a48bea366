// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
	tenama "tenama.dev/tenama/pkg/client"
)

// watcher is a user with one namespace and several watches.
type watcher struct {
	client    *tenama.Client
	namespace string
}

// fanOut measures how long an event takes to the watch of its owner, among many watches.
func (s *scene) fanOut(ctx context.Context, r *run, users int) error {
	type arrival struct {
		name string
		at   time.Time
	}
	const writes = 300
	arrivals := make(chan arrival, 2*writes*r.watches/users)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	all := make([]watcher, users)
	for i := range all {
		name := fmt.Sprintf("fan-%d", i)
		client, err := userOf(s.c, name)
		if err != nil {
			return err
		}
		if err := creator(client)(ctx, "tmp-"+name); err != nil {
			return err
		}
		all[i] = watcher{client, "tmp-" + name}
	}
	var open sync.WaitGroup
	for i := range r.watches {
		w, err := all[i%users].client.Watch(ctx, metav1.ListOptions{})
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
	wait(ctx, 5*time.Second)
	mib, before := resident(s.b), s.counted()
	sent := map[string]time.Time{}
	for i := range writes {
		w := all[i%users]
		sent[fmt.Sprintf("%s/%d", w.namespace, i)] = time.Now()
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, i)
		if _, err := w.client.Patch(ctx, w.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	wait(ctx, 5*time.Second)
	reviews := 0
	for what, n := range s.counted() {
		if strings.HasPrefix(what, "POST subjectaccessreviews") {
			reviews += n - before[what]
		}
	}
	stop()
	open.Wait()
	close(arrivals)
	var took []time.Duration
	for a := range arrivals {
		if at, ok := sent[a.name]; ok {
			took = append(took, a.at.Sub(at))
		}
	}
	if want := writes * r.watches / users; len(took) < want {
		return fmt.Errorf("%d of %d events arrived", len(took), want)
	}
	t := timings("watches", fmt.Sprintf("%d watches of %d users", r.watches, users),
		timing{"from the write to the event at its owner", took, nil})
	t.Notes = []string{fmt.Sprintf("The broker has %.0f MiB with the watches open. For %d events it requested %d "+
		"access reviews.",
		mib, len(took), reviews)}
	r.add(t)
	return nil
}
