// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
)

// expire lets n of the namespaces of others end within a minute, and measures how long after
// its expiry the broker deletes each of them. Meanwhile others use kube-apiserver.
func (s *scene) expire(ctx context.Context, r *run, most, n int) error {
	quiet, err := s.foreign(ctx, 30*time.Second)
	if err != nil {
		return err
	}
	// Expiries have whole seconds. The first is late enough for all writes.
	first := time.Now().Add(2 * time.Minute).Truncate(time.Second)
	due := map[string]time.Time{}
	admin := s.c.Client("admin").CoreV1().Namespaces()
	if err := withoutPolicies(ctx, s.c, s.b, func() error {
		for i := range n {
			name, at := filler(most-i), first.Add(time.Duration(i)*time.Minute/time.Duration(n)).Truncate(time.Second)
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
	early := time.Until(first.Add(-time.Second))
	if early < 0 {
		return fmt.Errorf("the writes took %s longer than planned", -early)
	}
	wait(ctx, early)
	busy, err := s.foreign(ctx, 62*time.Second)
	if err != nil {
		return err
	}
	wait(ctx, 5*time.Second)
	var lags []time.Duration
	s.mu.Lock()
	for name, at := range due {
		if deleted, ok := s.deleted[name]; ok {
			lags = append(lags, deleted.Sub(at))
		}
	}
	s.mu.Unlock()
	if len(lags) != n {
		return fmt.Errorf("%d of %d namespaces were deleted", len(lags), n)
	}
	r.add(timings("expiry", fmt.Sprintf("%d namespaces expire within a minute", n),
		timing{"from the expiry to the call that deletes", lags, nil},
		timing{"a create of another user, before", quiet, quiet},
		timing{"a create of another user, meanwhile", busy, quiet}))
	return nil
}

// foreign creates ConfigMaps for a while, as a user who has nothing to do with tenama.
func (s *scene) foreign(ctx context.Context, length time.Duration) (took []time.Duration, err error) {
	maps := s.c.Client("admin").CoreV1().ConfigMaps("default")
	for end := time.Now().Add(length); time.Now().Before(end); wait(ctx, 10*time.Millisecond) {
		d, err := timed(func() error {
			_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "f-"}},
				metav1.CreateOptions{})
			return err
		})
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}
