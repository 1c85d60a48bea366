// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
	"tenama.dev/tenama/api/v1alpha1"
)

// maxShown is how many of the caller's namespaces a rejection names.
const maxShown = 5

// checkPossible rejects a namespace that can never fit. Errors: Forbidden.
func (t *Tracker) checkPossible(u *usage) error {
	for _, b := range t.budgets {
		if b.spec.Counts(u.class) && b.invalid != nil {
			return forbidden(u.name, v1alpha1.CauseBudgetImpossible, b.name,
				fmt.Sprintf("budget %q is invalid (%s): no namespace of class %q can be created until an administrator corrects it",
					b.name, strings.ReplaceAll(b.invalid.Error(), "\n", "; "), u.class))
		}
	}
	limits := t.limits(u)
	defer dropUnused(limits)
	for _, l := range limits {
		if why := l.neverFits(u.class, u.reserved); why != "" {
			return forbidden(u.name, v1alpha1.CauseBudgetImpossible, l.budget.name, why)
		}
	}
	return nil
}

// neverFits returns why namespaces of a class with the given amounts can never fit; empty
// if they can.
func (l *limit) neverFits(class string, amounts corev1.ResourceList) string {
	for _, k := range l.keys {
		want, bounded := amounts[k]
		hard := l.hard[k]
		switch {
		case !bounded:
			return fmt.Sprintf("class %q has no quota on %s, which %s limits: an administrator has to add one, or exclude "+
				"the class from the budget", class, k, l)
		case want.Cmp(hard) > 0:
			return fmt.Sprintf("a namespace of class %q takes %s of %s, but %s allows only %s: none can ever be created", class,
				want.String(), k, l, hard.String())
		}
	}
	return ""
}

// String returns the name of a limit for messages to users.
func (l *limit) String() string {
	switch l.scope {
	case user:
		return fmt.Sprintf("budget %q for each user", l.budget.name)
	case group:
		return fmt.Sprintf("budget %q for group %q", l.budget.name, l.subject)
	}
	return fmt.Sprintf("budget %q", l.budget.name)
}

// exceededError returns a rejection that states the limit, its usage, the caller's namespaces
// in it, when an amount becomes free, and how many requests are queued.
func (t *Tracker) exceededError(u *usage, s limitKey) error {
	want, used, hard := u.reserved[s.key], s.limit.used[s.key], s.limit.hard[s.key]
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s is full: %s of %s %s taken", s.limit, used.String(), hard.String(), s.key)
	if reserved := s.limit.reserved[s.key]; !reserved.IsZero() {
		fmt.Fprintf(b, " and %s being created", reserved.String())
	}
	if s.key != policyv1alpha1.ResourceTemporaryNamespaces {
		fmt.Fprintf(b, ", and class %q takes %s", u.class, want.String())
	}
	at := t.freeAt(&s.limit.forecast, s, want)
	if n := s.limit.forecast.terminating; n > 0 {
		fmt.Fprintf(b, "; being deleted: %d", n)
	}
	own := t.ownNamespaces(u, s)
	if len(own) > 0 {
		fmt.Fprintf(b, "; yours: %s", listNamespaces(own))
	}
	if n := t.queue.countWaiting(s); n > 0 {
		fmt.Fprintf(b, "; %d queued", n)
	}
	if !at.IsZero() {
		fmt.Fprintf(b, "; room at %s at the latest", at.UTC().Format(time.RFC3339))
	}
	err := forbidden(u.name, v1alpha1.CauseBudgetExceeded, s.limit.budget.name, b.String())
	own = slices.DeleteFunc(own, (*usage).terminating)
	for _, m := range own[:min(len(own), maxShown)] {
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes,
			metav1.StatusCause{Type: v1alpha1.CauseOwnNamespace, Field: m.name})
	}
	return err
}

// ownNamespaces returns the caller's namespaces that count in the limit, by name.
func (t *Tracker) ownNamespaces(u *usage, s limitKey) []*usage {
	var own []*usage
	for _, other := range t.owners[u.owner] {
		if _, counts := other.reserved[s.key]; counts && !other.rejected && slices.Contains(t.limits(other), s.limit) {
			own = append(own, other)
		}
	}
	slices.SortFunc(own, func(a, b *usage) int { return strings.Compare(a.name, b.name) })
	return own
}

// listNamespaces returns the names of namespaces, and when each of them ends.
func listNamespaces(own []*usage) string {
	var out []string
	for _, m := range own[:min(len(own), maxShown)] {
		switch {
		case m.heldBy != "":
			out = append(out, fmt.Sprintf("%s (being deleted since %s, held by %s)", m.name,
				m.deleted.UTC().Format(time.RFC3339), m.heldBy))
		case m.terminating():
			out = append(out, fmt.Sprintf("%s (being deleted since %s)", m.name, m.deleted.UTC().Format(time.RFC3339)))
		case m.expires.IsZero():
			out = append(out, m.name)
		default:
			out = append(out, fmt.Sprintf("%s (until %s)", m.name, m.expires.UTC().Format(time.RFC3339)))
		}
	}
	if more := len(own) - maxShown; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// forecast caches when an amount becomes free in a limit: the computation visits every
// namespace, and rejected clients retry often. While one result is cached, for a
// second, the time for any other resource or amount is unknown.
type forecast struct {
	key         corev1.ResourceName
	want        string
	at          time.Time // zero: unknown
	terminating int       // namespaces in the limit that are being deleted
	computed    time.Time
}

// freeAt returns when enough will have expired, if no namespace is extended or created
// in between; zero if that is unknown. Namespaces that are being deleted are left out:
// a finalizer can delay a deletion without limit. The result is cached in f.
func (t *Tracker) freeAt(f *forecast, s limitKey, want resource.Quantity) time.Time {
	if time.Since(f.computed) < time.Second {
		if f.key != s.key || f.want != want.String() {
			return time.Time{}
		}
		return f.at
	}
	*f = forecast{key: s.key, want: want.String(), computed: time.Now()}
	left := s.limit.hard[s.key].DeepCopy()
	left.Sub(s.limit.used[s.key])
	var counted []*usage
	for _, u := range t.usages {
		if _, counts := u.reserved[s.key]; !counts || u.rejected || !slices.Contains(t.limits(u), s.limit) {
			continue
		}
		if u.terminating() {
			f.terminating++
		} else if !u.expires.IsZero() {
			counted = append(counted, u)
		}
	}
	slices.SortFunc(counted, func(a, b *usage) int { return a.expires.Compare(b.expires) })
	for _, u := range counted {
		left.Add(u.reserved[s.key])
		if left.Cmp(want) >= 0 {
			f.at = u.expires
			break
		}
	}
	return f.at
}

// forbidden returns the rejection of a request that a budget does not allow. Its
// cause names the budget, so that it does not look like a missing right.
func forbidden(name string, cause metav1.CauseType, budget, why string) *apierrors.StatusError {
	err := apierrors.NewForbidden(groupResource, name, errors.New(why))
	err.ErrStatus.Message = why
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: cause, Field: budget, Message: why}}
	return err
}
