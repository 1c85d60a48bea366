// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

const (
	// takeover is how long a namespace that is not ready is left to the replica
	// that began to make it, and to repeated requests.
	takeover = 60 * time.Second
	// clockError is how exactly kube-apiserver's clock is known.
	clockError = 2 * time.Second
	// uncontained is when to look again for leave to do what is due.
	uncontained = 5 * time.Second
	// refusedFor is how long a namespace that was refused is left to who did that.
	refusedFor = 10 * time.Second
	// giveUp is when a namespace that cannot be finished is deleted.
	giveUp = 10 * time.Minute
)

// Due returns when a namespace needs the broker next: at its expiry, or before
// that, if it is not ready, to be finished. It is zero if nothing is to be done.
// An expiry that cannot be read is never due: the namespace is kept.
func (r *Registry) Due(ns *corev1.Namespace) (time.Time, error) {
	if ns.DeletionTimestamp != nil {
		return time.Time{}, nil
	}
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the expiry of %q: %w", ns.Name, err)
	}
	if ns.Annotations[v1alpha1.AnnotationRefused] != "" { // at once, but for whoever refused it
		return ns.CreationTimestamp.Add(refusedFor), nil
	}
	at := life.Expiry(ns.CreationTimestamp.Time)
	if finish := ns.CreationTimestamp.Add(takeover); ns.Annotations[v1alpha1.AnnotationReady] != "true" && (at.IsZero() || finish.Before(at)) {
		at = finish
	}
	return at, nil
}

// Tend does what is due for a namespace: it deletes it if it has expired, and
// finishes it if its creator did not. It returns when to come back; zero is
// never. What it decides by is the cache; the preconditions of what it writes
// make a stale cache harmless.
func (r *Registry) Tend(ctx context.Context, name string) (time.Time, error) {
	ns := r.Cache.get(name)
	if ns == nil || !managed(ns) {
		return time.Time{}, nil
	}
	at, err := r.Due(ns)
	if err != nil || at.IsZero() {
		return time.Time{}, nil // an unreadable expiry was reported when it was seen
	}
	if time.Now().Before(at) {
		return at, nil
	}
	if r.Contained() != nil { // whoever mends that need not hurry us: until then namespaces live longer
		return time.Now().Add(uncontained), nil
	}
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if err != nil {
		return time.Time{}, nil
	}
	if ns.Annotations[v1alpha1.AnnotationRefused] != "" {
		return time.Time{}, r.discard(ctx, ns, errors.New("it did not fit into a budget"))
	}
	if expiry := life.Expiry(ns.CreationTimestamp.Time); !expiry.IsZero() && !time.Now().Before(expiry) {
		// Both clocks must say so: one that jumps ahead must not delete everything.
		if early := r.early(expiry); early > 0 {
			// Ask anew: a machine that was suspended knows an old time.
			if _, err := r.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return time.Time{}, fmt.Errorf("ask for the time: %w", err)
			}
			if early = r.early(expiry); early > 0 {
				r.Log.Warn("Not deleting: by kube-apiserver's clock it has not expired", "namespace", ns.Name, "expiry", expiry.UTC().Format(time.RFC3339), "early", early.String())
				return time.Now().Add(min(early, time.Minute)), nil
			}
		}
		return time.Time{}, r.expire(ctx, ns, expiry)
	}
	return r.recover(ctx, ns)
}

// early is for how long, by kube-apiserver's clock, it is too early.
func (r *Registry) early(expiry time.Time) time.Duration {
	server := r.ServerTime()
	if server.IsZero() || expiry.Sub(server) <= clockError {
		return 0
	}
	return expiry.Sub(server)
}

// expire deletes exactly the version of the namespace that was seen to have
// expired: an extension meanwhile makes it fail, and the extension's event
// brings a new time.
func (r *Registry) expire(ctx context.Context, ns *corev1.Namespace, at time.Time) error {
	lag := time.Since(at)
	err := r.Client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("delete expired namespace %q: %w", ns.Name, err)
	}
	r.Log.Info("Expired", "namespace", ns.Name, "uid", ns.UID, "owner", ns.Annotations[v1alpha1.AnnotationOwner], "expiry", at.UTC().Format(time.RFC3339), "lagMilliseconds", lag.Milliseconds())
	return nil
}

// recover finishes a namespace that its creator left half-made, or deletes it
// if it cannot be finished.
func (r *Registry) recover(ctx context.Context, ns *corev1.Namespace) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()

	class, err := r.Classes.Class(ctx, ns.Labels[v1alpha1.LabelClass])
	if err == nil && class.Status.Revision != ns.Annotations[v1alpha1.AnnotationClassRevision] {
		err = fmt.Errorf("class %q has changed since", class.Name)
	}
	if err != nil { // what it was to get is not known any more
		return time.Time{}, r.discard(ctx, ns, err)
	}
	if err := r.Admission.Admitted(ns); apierrors.IsNotFound(err) {
		return time.Time{}, nil
	} else if err != nil {
		_, err := r.refuse(ctx, ns, err)
		if apierrors.IsForbidden(err) {
			err = nil // it is done
		}
		return time.Time{}, err
	}
	what, err := r.content(class, values(ns))
	if err == nil {
		_, err = r.finish(ctx, ns, what, class, assume(ns))
	}
	if err != nil {
		if definite(err) || time.Since(ns.CreationTimestamp.Time) > giveUp {
			return time.Time{}, r.discard(ctx, ns, err)
		}
		return time.Time{}, fmt.Errorf("finish namespace %q: %w", ns.Name, err)
	}
	r.Log.Info("Finished what another left", "namespace", ns.Name, "uid", ns.UID, "creator", ns.Annotations[v1alpha1.AnnotationCreator])
	return time.Time{}, nil
}

func (r *Registry) discard(ctx context.Context, ns *corev1.Namespace, cause error) error {
	r.Log.Warn("Deleting a namespace that was left half-made", "namespace", ns.Name, "uid", ns.UID, "creator", ns.Annotations[v1alpha1.AnnotationCreator], "err", cause)
	err := r.Client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete half-made namespace %q: %w", ns.Name, err)
	}
	return nil
}
