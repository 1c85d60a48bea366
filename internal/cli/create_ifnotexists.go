// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/pkg/client"
)

// make creates the namespace or, with --if-not-exists, ensures that it exists. It also
// returns the action taken, such as "created".
func (o *createOptions) make(ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace) (*v1alpha1.TemporaryNamespace, string, error) {
	if !o.ifNotExists {
		made, err := o.create(ctx, c, tn)
		return made, "created", err
	}
	for {
		// Look it up first: with a full budget, create is refused even if the namespace exists.
		have, err := o.find(ctx, c, o.name)
		switch {
		case client.IsGone(err):
		case err != nil:
			return nil, "", err
		case have.DeletionTimestamp == nil:
			return o.keep(ctx, c, have)
		case !o.wait:
			return nil, "", advise(fmt.Errorf("your namespace %q is still being deleted", have.Name), "omit --wait=false to wait until it is gone")
		default:
			done := o.progress(fmt.Sprintf("waiting until the earlier namespace %s is gone", have.Name))
			err := c.WaitGone(ctx, have.Name, have.UID)
			done()
			if errors.Is(err, context.DeadlineExceeded) {
				return nil, "", &failure{fmt.Errorf("the earlier namespace %q is still being deleted after %s", have.Name, human(o.timeout.d)), exitTimeout,
					"to see what blocks the deletion, run: kubectl tenama doctor " + have.Name}
			}
			if err != nil {
				return nil, "", err
			}
		}
		made, err := o.create(ctx, c, tn)
		if err == nil {
			return made, "created", nil
		}
		// Another job created it first, or its deletion has not propagated everywhere yet.
		again := apierrors.IsConflict(err) && retryable(err)
		if apierrors.IsAlreadyExists(err) {
			_, gerr := o.find(ctx, c, o.name)
			again = gerr == nil
		}
		if !again {
			return nil, "", err
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func retryable(err error) bool {
	s, ok := apierrors.SuggestsClientDelay(err)
	return ok && s > 0
}

// keep checks that an existing namespace matches the request, and extends it to live
// for at least --ttl from now.
func (o *createOptions) keep(ctx context.Context, c *client.Client, have *v1alpha1.TemporaryNamespace) (*v1alpha1.TemporaryNamespace, string, error) {
	differs := func(what, has, asked string) error {
		return advise(fmt.Errorf("namespace %q already exists, but has %s %q, not %q", have.Name, what, has, asked), "to recreate it, first run: kubectl tenama delete "+have.Name)
	}
	switch {
	case o.class != "" && o.class != have.Spec.ClassName:
		return nil, "", differs("class", have.Spec.ClassName, o.class)
	case o.ownerGroup != have.Status.OwnerGroup:
		return nil, "", differs("owner group", have.Status.OwnerGroup, o.ownerGroup)
	}
	for k, v := range o.set {
		if have.Spec.Parameters[k] != v {
			return nil, "", differs("parameter "+k, have.Spec.Parameters[k], v)
		}
	}
	have, err := o.ready(ctx, c, have)
	if err == nil {
		have, err = o.label(ctx, c, have)
	}
	if err != nil || o.ttl.d == 0 || have.Status.Lifetime == v1alpha1.LifetimeUnbounded {
		return have, "unchanged", err
	}
	before, after, err := c.Extend(ctx, have.Name, func(_ *v1alpha1.TemporaryNamespace, now time.Time) time.Time { return now.Add(o.ttl.d) }, o.reason, metav1.PatchOptions{})
	switch {
	case apierrors.IsInvalid(err):
		return nil, "", advise(fmt.Errorf("namespace %q already exists, but cannot be extended to %s from now: %s", have.Name, human(o.ttl.d), why(err)), "to recreate it, first run: kubectl tenama delete "+have.Name)
	case err != nil:
		return nil, "", err
	case after.ResourceVersion == before.ResourceVersion:
		return after, "unchanged", nil
	}
	return after, "extended", nil
}

// ready waits for a namespace that another job is creating.
func (o *createOptions) ready(ctx context.Context, c *client.Client, have *v1alpha1.TemporaryNamespace) (*v1alpha1.TemporaryNamespace, error) {
	if have.Status.Phase == v1alpha1.PhaseReady {
		return have, nil
	}
	done := o.progress(fmt.Sprintf("waiting until namespace %s is ready", have.Name))
	defer done()
	for have.Status.Phase == v1alpha1.PhasePending {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		var err error
		if have, err = c.Get(ctx, have.Name); err != nil {
			return nil, err
		}
	}
	return have, nil
}

// label adds the requested labels, annotations and reason to an existing namespace, and
// leaves its others unchanged.
func (o *createOptions) label(ctx context.Context, c *client.Client, have *v1alpha1.TemporaryNamespace) (*v1alpha1.TemporaryNamespace, error) {
	lacks := func(want, all map[string]string) bool {
		for k, v := range want {
			if all[k] != v {
				return true
			}
		}
		return false
	}
	reason := o.reason != "" && o.reason != have.Spec.Reason
	if !lacks(o.labels, have.Labels) && !lacks(o.annotations, have.Annotations) && !reason {
		return have, nil
	}
	meta := map[string]any{"uid": have.UID}
	if len(o.labels) > 0 {
		meta["labels"] = o.labels
	}
	if len(o.annotations) > 0 {
		meta["annotations"] = o.annotations
	}
	patch := map[string]any{"metadata": meta}
	if reason {
		patch["spec"] = map[string]any{"reason": o.reason}
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	return c.Patch(ctx, have.Name, types.MergePatchType, b, metav1.PatchOptions{})
}
