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
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// ensure creates the namespace or, with --if-not-exists, ensures that it exists. It also
// returns the action taken, such as "created".
func (o *createOptions) ensure(
	ctx context.Context, c *client.Client, tn *v1alpha1.TemporaryNamespace,
) (*v1alpha1.TemporaryNamespace, string, error) {
	if !o.ifNotExists {
		created, err := o.create(ctx, c, tn)
		return created, "created", err
	}
	o.readPrefix(ctx, c)
	for {
		// Look it up first: with a full budget, create is refused even if the namespace exists.
		existing, err := o.lookUpFull(ctx, c)
		switch {
		case client.IsGone(err):
		case err != nil:
			return nil, "", err
		case existing.DeletionTimestamp == nil:
			return o.keepExisting(ctx, c, existing)
		case !o.wait:
			return nil, "", withHint(fmt.Errorf("your namespace %q is still being deleted", existing.Name),
				"omit --wait=false to wait until it is gone")
		default:
			done := o.progress(fmt.Sprintf("waiting until the earlier namespace %s is gone", existing.Name))
			err := c.WaitGone(ctx, existing.Name, existing.UID)
			done()
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("the earlier namespace %q is still being deleted after %s",
					existing.Name, term.FormatDuration(o.timeout.d))
				return nil, "", &failure{err, exitTimeout,
					"to see what blocks the deletion, run: kubectl tenama doctor " + existing.Name}
			}
			if err != nil {
				return nil, "", err
			}
		}
		created, err := o.create(ctx, c, tn)
		if err == nil {
			return created, "created", nil
		}
		// Another job created it first, or its deletion has not propagated everywhere yet.
		retry := apierrors.IsConflict(err) && retryable(err)
		if apierrors.IsAlreadyExists(err) {
			_, findErr := o.lookUpFull(ctx, c)
			retry = findErr == nil
		}
		if !retry {
			return nil, "", err
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// lookUpFull returns the namespace that would be created, if it exists.
func (o *createOptions) lookUpFull(ctx context.Context, c *client.Client) (*v1alpha1.TemporaryNamespace, error) {
	tn, err := c.Get(ctx, o.fullName())
	if client.IsGone(err) {
		if tn, err := c.Shared(ctx, o.fullName()); err == nil {
			return nil, &sharedError{tn}
		}
	}
	return tn, err
}

func retryable(err error) bool {
	s, ok := apierrors.SuggestsClientDelay(err)
	return ok && s > 0
}

// keepExisting checks that an existing namespace matches the request, and extends it to live
// for at least --ttl from now. If its class ends namespaces that are not used, that is a use.
func (o *createOptions) keepExisting(
	ctx context.Context, c *client.Client, existing *v1alpha1.TemporaryNamespace,
) (*v1alpha1.TemporaryNamespace, string, error) {
	mismatch := func(field, actual, requested string) error {
		err := fmt.Errorf("namespace %q already exists, but has %s %q, not %q", existing.Name, field, actual, requested)
		return withHint(err, "to recreate it, first run: kubectl tenama delete "+existing.Name)
	}
	switch {
	case o.class != "" && !o.classByEnv && o.class != existing.Spec.ClassName:
		return nil, "", mismatch("class", existing.Spec.ClassName, o.class)
	case o.ownerGroup != "" && o.ownerGroup != existing.Status.OwnerGroup:
		return nil, "", mismatch("owner group", existing.Status.OwnerGroup, o.ownerGroup)
	}
	for k, v := range o.set {
		if existing.Spec.Parameters[k] != v {
			return nil, "", mismatch("parameter "+k, existing.Spec.Parameters[k], v)
		}
	}
	fmt.Fprintf(o.ErrOut, "Namespace %s exists already, since %s; it is kept.\n", existing.Name,
		term.FormatTime(existing.CreationTimestamp.Time, c.Now()))
	existing, err := o.waitReady(ctx, c, existing)
	if err == nil {
		existing, err = o.addMetadata(ctx, c, existing)
	}
	if err != nil || existing.Status.Lifetime == v1alpha1.LifetimeUnbounded ||
		o.ttl.d == 0 && !expired(existing, c.Now()) && existing.Status.IdleTTLSeconds == nil {
		return existing, "unchanged", err
	}
	limit, limited := latestExtension(existing, c.Now())
	if expired(existing, c.Now()) && (extensionsUsed(existing) || limited && !limit.After(c.Now())) {
		err := fmt.Errorf("namespace %q already exists, but has expired, cannot be extended, and is about to be deleted",
			existing.Name)
		return nil, "", withHint(err, "to recreate it, first run: "+o.commandAs("delete %s", existing.Name))
	}
	return o.keepAlive(ctx, c, existing)
}

// expired reports whether a namespace is to be deleted: after an outage, or while an
// administrator has paused the expiries, it is still there.
func expired(tn *v1alpha1.TemporaryNamespace, now time.Time) bool {
	at := tn.Status.ExpirationTimestamp
	return at != nil && !at.After(now) && onHold(tn) == ""
}

// waitReady waits for a namespace that another job is creating.
func (o *createOptions) waitReady(
	ctx context.Context, c *client.Client, existing *v1alpha1.TemporaryNamespace,
) (*v1alpha1.TemporaryNamespace, error) {
	if existing.Status.Phase == v1alpha1.PhaseReady {
		return existing, nil
	}
	done := o.progress(fmt.Sprintf("waiting until namespace %s is ready", existing.Name))
	defer done()
	for existing.Status.Phase == v1alpha1.PhasePending {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		var err error
		if existing, err = c.Get(ctx, existing.Name); err != nil {
			return nil, err
		}
	}
	if existing.Status.Phase == v1alpha1.PhaseNoAccess {
		return nil, withHint(fmt.Errorf("you own namespace %q, but have no access to it: your RoleBinding was removed",
			existing.Name), "ask an administrator to restore it, or run: kubectl tenama delete "+existing.Name)
	}
	return existing, nil
}

// addMetadata adds the requested labels, annotations and reason to an existing namespace, and
// leaves its others unchanged.
func (o *createOptions) addMetadata(
	ctx context.Context, c *client.Client, existing *v1alpha1.TemporaryNamespace,
) (*v1alpha1.TemporaryNamespace, error) {
	differs := func(want, all map[string]string) bool {
		for k, v := range want {
			if all[k] != v {
				return true
			}
		}
		return false
	}
	reason := o.reason != "" && o.reason != existing.Spec.Reason
	if !differs(o.labels, existing.Labels) && !differs(o.annotations, existing.Annotations) && !reason {
		return existing, nil
	}
	meta := map[string]any{"uid": existing.UID}
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
	return c.Patch(ctx, existing.Name, types.MergePatchType, b, metav1.PatchOptions{})
}
