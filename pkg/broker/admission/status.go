// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	policyv1alpha1 "tenama.dev/tenama/api/policy/v1alpha1"
)

// Usage returns the status of each budget by name, without conditions and without
// names of users, and the used share of the limit that is nearest to exhaustion.
func (t *Tracker) Usage() (status map[string]policyv1alpha1.NamespaceBudgetStatus, full map[string]float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	status, full = map[string]policyv1alpha1.NamespaceBudgetStatus{}, map[string]float64{}
	counts := map[*budget]int32{}
	for _, u := range t.usages {
		for _, b := range t.budgets {
			if !u.rejected && b.spec.Counts(u.class) {
				counts[b]++
			}
		}
	}
	for _, b := range t.budgets {
		s := policyv1alpha1.NamespaceBudgetStatus{Namespaces: counts[b]}
		fullest := -1.0
		consider := func(l *limit) {
			for _, k := range l.keys {
				used, hard := l.used[k], l.hard[k]
				share := 1.0
				if !hard.IsZero() {
					share = used.AsApproximateFloat64() / hard.AsApproximateFloat64()
				}
				if share > fullest {
					fullest = share
					s.Full = fmt.Sprintf("%d%%", int(100*share))
					s.Nearest = fmt.Sprintf("%s %s of %s%s", k, used.String(), hard.String(), scopeSuffix(l))
				}
			}
		}
		if l := b.total; l != nil {
			s.Hard, s.Used = l.hard.DeepCopy(), l.usedAmounts()
			consider(l)
		}
		for _, g := range b.spec.Groups {
			if l := b.groups[g.Name]; l != nil {
				s.Groups = append(s.Groups, policyv1alpha1.GroupUsage{Name: g.Name, Used: l.usedAmounts()})
				consider(l)
			}
		}
		for _, l := range b.users {
			for k, used := range l.usedAmounts() {
				if s.UsedByOne == nil {
					s.UsedByOne = corev1.ResourceList{}
				}
				if had := s.UsedByOne[k]; used.Cmp(had) >= 0 {
					s.UsedByOne[k] = used
				}
			}
		}
		if len(s.UsedByOne) > 0 {
			one := newLimit(b, user, "", b.spec.PerUser)
			one.used = s.UsedByOne
			consider(one)
		}
		status[b.name], full[b.name] = s, max(0, fullest)
	}
	return status, full
}

// usedAmounts returns the used amount of every limited resource.
func (l *limit) usedAmounts() corev1.ResourceList {
	out := corev1.ResourceList{}
	for k, hard := range l.hard {
		used := l.used[k].DeepCopy()
		if used.IsZero() {
			used = hard.DeepCopy()
			used.Set(0)
		}
		out[k] = used
	}
	return out
}

// scopeSuffix returns the scope of a limit as the end of a sentence.
func scopeSuffix(l *limit) string {
	switch l.scope {
	case user:
		return " by one user"
	case group:
		return " by group " + l.subject
	}
	return ""
}

// NeverFit returns, for each budget, which classes can never create a namespace
// because of it, and why. reserved holds the amounts of a namespace of each class.
func (t *Tracker) NeverFit(reserved map[string]corev1.ResourceList) map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]string{}
	for _, b := range t.budgets {
		if b.invalid != nil {
			continue
		}
		var why []string
		for class, amounts := range reserved {
			if !b.spec.Counts(class) {
				continue
			}
			limits := []*limit{}
			if b.total != nil {
				limits = append(limits, b.total)
			}
			if len(b.spec.PerUser) > 0 {
				limits = append(limits, newLimit(b, user, "", b.spec.PerUser))
			}
			for _, l := range limits {
				if w := l.neverFits(class, amounts); w != "" {
					why = append(why, w)
					break
				}
			}
		}
		for _, name := range b.spec.ClassNames {
			if _, known := reserved[name]; !known {
				why = append(why, fmt.Sprintf("there is no class %q", name))
			}
		}
		slices.Sort(why)
		out[b.name] = strings.Join(why, "; ")
	}
	return out
}
