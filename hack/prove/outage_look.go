// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// seen is what is wrong at some moment during a fault.
type seen struct {
	mu    sync.Mutex
	wrong map[string]bool
}

func (s *seen) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong == nil {
		s.wrong = map[string]bool{}
	}
	s.wrong[fmt.Sprintf(format, args...)] = true
}

// look looks at the cluster twice a second, as an administrator: each namespace that is
// being deleted has expired, or its user deleted it; and no owner has access to a namespace
// without a quota in force.
func (s *scene) look(ctx context.Context) {
	kube := s.c.Client("admin")
	for ; ctx.Err() == nil; time.Sleep(500 * time.Millisecond) {
		// The bindings first: a quota that is there later was there before the binding.
		bindings, err := kube.RbacV1().RoleBindings("").List(ctx, metav1.ListOptions{
			FieldSelector: "metadata.name=" + v1alpha1.RoleBindingOwner})
		if err != nil {
			continue
		}
		quotas, err := kube.CoreV1().ResourceQuotas("").List(ctx, managedOnly)
		if err != nil {
			continue
		}
		list, err := kube.CoreV1().Namespaces().List(ctx, managedOnly)
		if err != nil {
			continue
		}
		inForce := map[string]bool{}
		for _, q := range quotas.Items {
			inForce[q.Namespace] = len(q.Status.Hard) > 0
		}
		living := map[string]bool{}
		for i := range list.Items {
			ns := &list.Items[i]
			living[ns.Name] = ns.DeletionTimestamp == nil
			s.early(ns)
		}
		for _, b := range bindings.Items {
			if living[b.Namespace] && !inForce[b.Namespace] {
				s.seen.add("%s: its owner has access without a quota in force", b.Namespace)
			}
		}
	}
}

// isCell reports whether a namespace is one of those for which users compete during a soak,
// which goes on while the cluster is looked at. They delete theirs soon after the creation.
func isCell(ns *corev1.Namespace) bool { return ns.Labels[v1alpha1.LabelClass] == "cell" }

var managedOnly = metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"}

// early records a namespace that was deleted before its expiry.
func (s *scene) early(ns *corev1.Namespace) {
	if ns.DeletionTimestamp == nil || ns.Annotations[v1alpha1.AnnotationReady] != "true" || isCell(ns) {
		return
	}
	s.users.mu.Lock()
	theirs := s.users.gone[ns.Name]
	s.users.mu.Unlock()
	life, err := v1alpha1.ReadLifetime(&ns.ObjectMeta)
	if theirs || err != nil {
		return
	}
	// A deletionTimestamp has whole seconds.
	if at := life.Expiry(ns.CreationTimestamp.Time); ns.DeletionTimestamp.Time.Before(at.Add(-time.Second)) {
		s.seen.add("%s was deleted at %s, and expires at %s", ns.Name, ns.DeletionTimestamp.UTC(), at.UTC())
	}
}

// settle waits until the cluster is as it has to be after a fault, and returns what is not:
// all that users were given is there, what expired is gone, and nothing incomplete is left.
// rewound says that the cluster forgot what was written last.
func (s *scene) settle(ctx context.Context, rewound bool) (wrong []string) {
	s.seen.mu.Lock()
	wrong = slices.Sorted(maps.Keys(s.seen.wrong))
	s.seen.wrong = nil
	s.seen.mu.Unlock()
	for name, tn := range s.kept {
		now, err := s.alice.Get(ctx, name)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s cannot be read: %v", name, err))
		case now.UID != tn.UID, now.Status.ExpirationTimestamp.Time.Before(tn.Status.ExpirationTimestamp.Time):
			wrong = append(wrong, fmt.Sprintf("%s is not what was lent", name))
		}
	}
	s.users.mu.Lock()
	has := maps.Clone(s.users.has)
	clear(s.users.has)
	if !rewound {
		wrong = append(wrong, s.users.lost...)
	}
	s.users.mu.Unlock()
	kube := s.c.Client("admin")
	err := within(func() error {
		list, err := kube.CoreV1().Namespaces().List(ctx, managedOnly)
		if err != nil {
			return err
		}
		for i := range list.Items {
			ns := &list.Items[i]
			if uid, theirs := has[ns.Name]; theirs && ns.DeletionTimestamp == nil && v1alpha1.UIDOf(ns.UID) == uid {
				delete(has, ns.Name)
				s.users.mu.Lock()
				s.users.gone[ns.Name] = true
				s.users.mu.Unlock()
				err = errors.Join(err, kube.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{}))
			}
			if _, due := s.due[ns.Name]; due && ns.DeletionTimestamp == nil {
				return fmt.Errorf("%s has expired, and lives", ns.Name)
			}
			if ns.DeletionTimestamp == nil && ns.Annotations[v1alpha1.AnnotationReady] != "true" &&
				!(isCell(ns) && time.Since(ns.CreationTimestamp.Time) < 90*time.Second) {
				return fmt.Errorf("%s is neither ready nor being deleted", ns.Name)
			}
		}
		return err
	})
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	if !rewound {
		for _, name := range slices.Sorted(maps.Keys(has)) {
			wrong = append(wrong, name+" is lost: its user was told that it is there")
		}
	}
	return wrong
}
