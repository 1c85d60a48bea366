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

// shown is how many of the caller's namespaces a rejection names.
const shown = 5

// impossible rejects a claim that waiting cannot help. Errors: Forbidden.
func (v *View) impossible(c *claim) error {
	for _, b := range v.budgets {
		if b.spec.Counts(c.class) && b.broken != nil {
			return forbidden(c.name, v1alpha1.CauseBudgetImpossible, b.name, fmt.Sprintf("budget %q is invalid (%s): no namespace of class %q can be created until an administrator corrects it",
				b.name, strings.ReplaceAll(b.broken.Error(), "\n", "; "), c.class))
		}
	}
	for _, l := range v.limits(c) {
		if why := l.never(c.class, c.reserved); why != "" {
			forget([]*limit{l})
			return forbidden(c.name, v1alpha1.CauseBudgetImpossible, l.budget.name, why)
		}
	}
	return nil
}

// never returns why namespaces of a class with the given amounts can never fit; empty
// if they can.
func (l *limit) never(class string, amounts corev1.ResourceList) string {
	for _, k := range l.keys {
		want, bounded := amounts[k]
		hard := l.hard[k]
		switch {
		case !bounded:
			return fmt.Sprintf("class %q has no quota on %s, which %s limits: an administrator has to add one, or exclude the class from the budget", class, k, l)
		case want.Cmp(hard) > 0:
			return fmt.Sprintf("a namespace of class %q takes %s of %s, but %s allows only %s: none can ever be created", class, want.String(), k, l, hard.String())
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
		return fmt.Sprintf("budget %q for group %q", l.budget.name, l.who)
	}
	return fmt.Sprintf("budget %q", l.budget.name)
}

// full returns a rejection that states the limit, its usage, the caller's namespaces
// in it, when an amount becomes free, and how many requests are queued.
func (v *View) full(c *claim, s shortage) error {
	want, used, hard := c.reserved[s.key], s.limit.used[s.key], s.limit.hard[s.key]
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s is full: %s of %s %s taken", s.limit, used.String(), hard.String(), s.key)
	if held := s.limit.held[s.key]; !held.IsZero() {
		fmt.Fprintf(b, " and %s being created", held.String())
	}
	if s.key != policyv1alpha1.ResourceTemporaryNamespaces {
		fmt.Fprintf(b, ", and class %q takes %s", c.class, want.String())
	}
	if own := v.own(c, s); own != "" {
		fmt.Fprintf(b, "; yours: %s", own)
	}
	if n := v.line.waiting(s); n > 0 {
		fmt.Fprintf(b, "; %d queued", n)
	}
	if at := v.free(s, want); !at.IsZero() {
		fmt.Fprintf(b, "; room at %s at the latest", at.UTC().Format(time.RFC3339))
	}
	return forbidden(c.name, v1alpha1.CauseBudgetExceeded, s.limit.budget.name, b.String())
}

// own returns the names of the caller's namespaces that count in the limit.
func (v *View) own(c *claim, s shortage) string {
	var mine []*claim
	for _, other := range v.owners[c.owner] {
		if _, counts := other.reserved[s.key]; counts && !other.refused && slices.Contains(v.limits(other), s.limit) {
			mine = append(mine, other)
		}
	}
	slices.SortFunc(mine, func(a, b *claim) int { return strings.Compare(a.name, b.name) })
	var out []string
	for _, m := range mine[:min(len(mine), shown)] {
		switch {
		case m.ending:
			out = append(out, m.name+" (being deleted)")
		case m.expires.IsZero():
			out = append(out, m.name)
		default:
			out = append(out, fmt.Sprintf("%s (until %s)", m.name, m.expires.UTC().Format(time.RFC3339)))
		}
	}
	if more := len(mine) - shown; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// forecast caches when an amount becomes free in a limit: the computation visits every
// namespace, and rejected clients retry often. While one result is cached, for a
// second, the time for any other resource or amount is unknown.
type forecast struct {
	key      corev1.ResourceName
	want     string
	at, made time.Time
}

// free returns when enough will have expired, if no namespace is extended or created
// in between; zero if that is unknown.
func (v *View) free(s shortage, want resource.Quantity) time.Time {
	f := &s.limit.next
	if time.Since(f.made) < time.Second {
		if f.key != s.key || f.want != want.String() {
			return time.Time{}
		}
		return f.at
	}
	*f = forecast{key: s.key, want: want.String(), made: time.Now()}
	left := s.limit.hard[s.key].DeepCopy()
	left.Sub(s.limit.used[s.key])
	var there []*claim
	for _, c := range v.claims {
		if _, counts := c.reserved[s.key]; counts && !c.refused && (c.ending || !c.expires.IsZero()) && slices.Contains(v.limits(c), s.limit) {
			there = append(there, c)
		}
	}
	end := func(c *claim) time.Time {
		if c.ending {
			return f.made
		}
		return c.expires
	}
	slices.SortFunc(there, func(a, b *claim) int { return end(a).Compare(end(b)) })
	for _, c := range there {
		left.Add(c.reserved[s.key])
		if left.Cmp(want) >= 0 {
			f.at = end(c)
			break
		}
	}
	return f.at
}

// forbidden returns the rejection of a request that a budget does not allow. Its
// cause names the budget, so that it does not look like a missing right.
func forbidden(name string, cause metav1.CauseType, budget, why string) error {
	err := apierrors.NewForbidden(groupResource, name, errors.New(why))
	err.ErrStatus.Message = why
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: cause, Field: budget, Message: why}}
	return err
}
