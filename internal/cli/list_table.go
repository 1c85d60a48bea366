// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/cli/term"
	"tenama.dev/tenama/pkg/client"
)

// currentNamespace returns the namespace of the current context, if it is a tenama context.
func (o *listOptions) currentNamespace() string {
	if m, err := o.files().Load(); err == nil {
		if e, ours := m.Current(); ours && e.Server == o.server() {
			return e.Namespace
		}
	}
	return ""
}

// table returns the human-readable list; bars adds a column with each namespace's
// remaining lifetime as a bar.
func (o *listOptions) table(items []v1alpha1.TemporaryNamespace, now time.Time, bars bool) *term.Table {
	wide := o.output.format == "wide"
	t := &term.Table{Long: 1}
	add := func(head string, keep bool, value func(*v1alpha1.TemporaryNamespace) term.Cell) {
		if !o.noHeaders {
			t.Head = append(t.Head, head)
		}
		if len(t.Rows) == 0 {
			t.Rows = make([][]term.Cell, len(items))
		}
		if !keep && !wide { // what was asked for is shown, even in lines that are too long
			t.Drop = append(t.Drop, o.columns)
		}
		o.columns++
		for i := range items {
			t.Rows[i] = append(t.Rows[i], value(&items[i]))
		}
	}
	o.columns = 0
	t.Widths = []int{1} // reserve the star column even without a star
	add("", true, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
		if tn.Name == o.current {
			return term.Cell{Text: "*"}
		}
		return term.Cell{}
	})
	add("NAME", true, func(tn *v1alpha1.TemporaryNamespace) term.Cell { return term.Cell{Text: tn.Name} })
	add("CLASS", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell { return term.Cell{Text: tn.Spec.ClassName} })
	add("STATUS", true, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
		status, _, style := state(tn, now)
		return term.Cell{Text: status, Style: style}
	})
	if bars {
		add("LEFT", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
			at := tn.Status.ExpirationTimestamp
			if at == nil || v1alpha1.Leased(tn) || tn.DeletionTimestamp != nil {
				return term.Cell{}
			}
			_, _, style := state(tn, now)
			share := float64(at.Sub(now)) / float64(at.Sub(tn.CreationTimestamp.Time))
			return term.Cell{Text: term.Bar(share), Style: style}
		})
	}
	add("EXPIRES", true, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
		_, expires, style := state(tn, now)
		return term.Cell{Text: expires, Style: style}
	})
	add("OWNER", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
		return term.Cell{Text: cmp.Or(tn.Status.OwnerGroup, tn.Status.Owner)}
	})
	add("AGE", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
		return term.Cell{Text: duration.HumanDuration(now.Sub(tn.CreationTimestamp.Time))}
	})
	if wide {
		add("EXPIRES-AT", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell {
			return term.Cell{Text: formatTimestamp(tn, tn.Status.ExpirationTimestamp)}
		})
		add("AT-MOST-UNTIL", false,
			func(tn *v1alpha1.TemporaryNamespace) term.Cell { return term.Cell{Text: formatMaxExpiry(tn)} })
		add("REVISION", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell { return revisionCell(tn, o.revisions) })
		add("REASON", false, func(tn *v1alpha1.TemporaryNamespace) term.Cell { return term.Cell{Text: tn.Spec.Reason} })
	}
	slices.Reverse(t.Drop) // drop the last column first
	return t
}

// state returns the status and expiry of a namespace as text; the style only repeats it.
func state(tn *v1alpha1.TemporaryNamespace, now time.Time) (status, expires string, style term.Style) {
	status = string(tn.Status.Phase)
	at := tn.Status.ExpirationTimestamp
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		expires = "never"
	case at == nil:
		return status, "<unknown>", term.Bad
	case !at.After(now):
		expires, style = "expired", term.Bad
	default:
		expires = duration.HumanDuration(at.Sub(now).Round(time.Second))
	}
	switch {
	case tn.Status.Phase == v1alpha1.PhaseTerminating:
		expires, style = "-", term.Dim
	case onHold(tn) != "":
		status, expires, style = v1alpha1.ConditionOnHold, "-", term.Warning
	case tn.Status.Phase == v1alpha1.PhasePending:
		style = term.Warning
	case tn.Status.Phase == v1alpha1.PhaseNoAccess:
		style = term.Bad
	case tn.DeletionTimestamp != nil: // a shared one
		status, expires, style = string(v1alpha1.PhaseTerminating), "-", term.Dim
	case v1alpha1.Leased(tn) && at.After(now): // it ends with the command that holds it
		status, style = "Leased", term.Good
		if end := v1alpha1.DeadlineOf(tn); end.IsZero() {
			expires = "-"
		} else {
			expires = "<" + duration.HumanDuration(end.Sub(now).Round(time.Second))
		}
	case v1alpha1.ExpiresSoon(tn, now):
		status, style = "Expiring", term.Bad
	default:
		style = term.Good
	}
	return status, expires, style
}

func formatTimestamp(tn *v1alpha1.TemporaryNamespace, t *metav1.Time) string {
	switch {
	case tn.Status.Lifetime == v1alpha1.LifetimeUnbounded:
		return "never"
	case t == nil:
		return "<unknown>"
	}
	return t.UTC().Format(time.RFC3339)
}

// formatMaxExpiry returns the latest expiry that an extension can set, absolute or relative to now.
func formatMaxExpiry(tn *v1alpha1.TemporaryNamespace) string {
	if s := tn.Status.MaximumTTLSeconds; s != nil {
		return "now+" + term.FormatDuration(time.Duration(*s)*time.Second)
	}
	return formatTimestamp(tn, tn.Status.MaximumExpirationTimestamp)
}

// revisions returns the current revisions of the classes by name; nil if they cannot be read.
func revisions(ctx context.Context, c *client.Client) map[string]string {
	classes, err := c.Classes(ctx)
	if err != nil {
		return nil
	}
	byClass := map[string]string{}
	for i := range classes.Items {
		byClass[classes.Items[i].Name] = classes.Items[i].Status.Revision
	}
	return byClass
}

// revisionCell returns a cell that compares a namespace with the current revision of its class.
func revisionCell(tn *v1alpha1.TemporaryNamespace, present map[string]string) term.Cell {
	switch now, known := present[tn.Spec.ClassName]; {
	case present == nil:
		return term.Cell{Text: "<unknown>", Style: term.Dim}
	case !known:
		return term.Cell{Text: "classless", Style: term.Dim}
	case now != tn.Status.ClassRevision:
		return term.Cell{Text: "outdated", Style: term.Warning}
	}
	return term.Cell{Text: "current"}
}
