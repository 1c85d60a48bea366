// SPDX-License-Identifier: Apache-2.0

package classes

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// Run updates the status of the classes until ctx is done: after a change of a class,
// and every minute, because rights and policies change without an event of a class.
func (s *Store) Run(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-again.C:
		}
		again.Reset(s.reportAll(ctx))
		select {
		case <-ctx.Done():
			return
		case <-time.After(writeInterval):
		}
	}
}

// reportAll updates the status of all classes, and returns when to do it again.
func (s *Store) reportAll(ctx context.Context) time.Duration {
	again, sample := reviewed, s.trier.SampleNamespace()
	all := s.classes.List()
	defaults := 0
	for _, c := range all {
		if isDefault(c) {
			defaults++
		}
	}
	for _, class := range all {
		_ = s.try(ctx, class, sample) // judge reports its result
		c := s.judge(ctx, class)
		if c.Status == metav1.ConditionTrue && isDefault(class) && defaults > 1 {
			c.Reason, c.Message = policyv1alpha1.ReasonSeveralDefaults,
				fmt.Sprintf("Usable by name only: %d classes are marked as the default.", defaults)
		}
		wait, err := s.report(ctx, class, c)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("Updating the status of a class failed; retrying", "class", class.Name, "err", err)
			wait = 10 * time.Second
		}
		if wait > 0 {
			again = min(again, wait)
		}
	}
	return again
}

// report writes the condition into the status of class, unless it is current, or another
// replica is to write it. It returns how long to wait for that replica; zero is not at
// all.
func (s *Store) report(ctx context.Context, class *policyv1alpha1.NamespaceClass,
	c metav1.Condition) (wait time.Duration, _ error) {
	before := class.Status
	class = class.DeepCopy()
	meta.SetStatusCondition(&class.Status.Conditions, c)
	class.Status.ObservedGeneration, class.Status.Revision = class.Generation, s.check(class).revision
	class.Status.Prefix, class.Status.Reserved = cmp.Or(class.Spec.Prefix, s.prefixes[0]), s.check(class).reserved
	if equality.Semantic.DeepEqual(before, class.Status) {
		delete(s.outdated, class.UID)
		return 0, nil
	}
	if left := s.awaitReporter(class.UID, class.Generation, before); left > 0 {
		return left, nil
	}
	class.Status.Reporter = s.replica
	written, err := s.classes.UpdateStatus(ctx, class)
	if err != nil {
		return 0, fmt.Errorf("update status of class %q: %w", class.Name, err)
	}
	if !written {
		return writeInterval, nil
	}
	delete(s.outdated, class.UID)
	s.log.Info("Updated class status", "class", class.Name, "ready", c.Status, "reason", c.Reason, "message", c.Message)
	return 0, nil
}

// awaitReporter returns how long to wait before this replica replaces an outdated status.
func (s *Store) awaitReporter(uid types.UID, generation int64,
	status policyv1alpha1.NamespaceClassStatus) time.Duration {
	if status.Reporter == "" || status.Reporter == s.replica {
		return 0
	}
	since, ok := s.outdated[uid]
	if !ok {
		since = time.Now()
		s.outdated[uid] = since
	}
	timeout := disagreementTimeout
	if status.ObservedGeneration != generation {
		timeout = reporterTimeout
	}
	return timeout - time.Since(since)
}
